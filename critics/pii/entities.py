"""The kinds of personal data a constitution may name, without loading presidio to know them.

Each entity of presidio's pattern and phone recognizers stands here with the recognizer that finds
it and a *gate*: a condition that every text with a finding meets, cheap enough to ask of every
text. A test derives the gates again from the installed recognizers' own patterns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

__all__ = ["ENTITIES", "NEEDS_MODEL", "Entity", "Glance"]

_NEWER_DIGITS = (
    "\U00010d40-\U00010d49\U000116d0-\U000116e3\U00011bf0-\U00011bf9\U00011de0-\U00011de9"
    "\U00011f50-\U00011f59\U00016130-\U00016139\U00016d70-\U00016d79\U0001ccf0-\U0001ccf9"
    "\U0001e4f0-\U0001e4f9\U0001e5f1-\U0001e5fa"
)
"""Decimal digits of Unicode 15 to 17: presidio's regex engine knows them, Python 3.11 does not."""

_ANY_DIGIT = rf"[\d{_NEWER_DIGITS}]"
_DIGIT = re.compile(_ANY_DIGIT)

MOST_DIGITS = 13
"""No gate asks for more."""


class Glance:
    """One text as the gates see it; what they ask is counted once, when first asked."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def digits(self) -> int:
        """How many decimal digits of any script it has, or `MOST_DIGITS` if there are more."""
        if self.text.isascii():
            return min(sum(map(self.text.count, "0123456789")), MOST_DIGITS)
        return sum(1 for _ in islice(_DIGIT.finditer(self.text), MOST_DIGITS))

    @cached_property
    def lower(self) -> str:
        return self.text.lower()


@dataclass(frozen=True, slots=True)
class Entity:
    """One kind of personal data: presidio's class for it, and what a text that holds it must have.

    At least `digits` decimal digits; one of the characters `any_of`; somewhere the `shape`, a short
    pattern without open repeats. A finding that none of the `words` stands near scores at most
    `alone`.
    """

    recognizer: str
    digits: int = 0
    any_of: str = ""
    shape: str = ""
    alone: float = 1.0
    words: tuple[str, ...] = ()

    def may_be_in(self, glance: Glance, min_score: float) -> bool:
        """False only if presidio has no finding of at least `min_score` in that text."""
        return (
            glance.digits >= self.digits
            and (not self.any_of or any(mark in glance.text for mark in self.any_of))
            and (min_score <= self.alone or any(word in glance.lower for word in self.words))
            and (not self.shape or re.search(self.shape, glance.text) is not None)
        )


_PHONE_WORDS = ("phone", "number", "cell", "mobile", "call")
"""Of presidio's context words for phones, those that hold no other (telephone holds phone)."""

ENTITIES: Mapping[str, Entity] = {
    "ABA_ROUTING_NUMBER": Entity("AbaRoutingRecognizer", digits=9),
    "AU_ABN": Entity("AuAbnRecognizer", digits=11),
    "AU_ACN": Entity("AuAcnRecognizer", digits=9),
    "AU_MEDICARE": Entity("AuMedicareRecognizer", digits=10),
    "AU_TFN": Entity("AuTfnRecognizer", digits=9),
    "CA_POSTAL_CODE": Entity("CaPostalCodeRecognizer", digits=3),
    "CA_SIN": Entity("CaSinRecognizer", digits=9),
    "CREDIT_CARD": Entity(
        "CreditCardRecognizer",
        digits=13,
        shape=rf"[13-6]{_ANY_DIGIT}{{3}}(?:[- ]?{_ANY_DIGIT}{{3,4}}){{2}}[- ]?{_ANY_DIGIT}{{3}}",
    ),
    "CRYPTO": Entity("CryptoRecognizer", digits=1),
    "DATE_TIME": Entity("DateRecognizer", digits=1),
    "DE_BSNR": Entity("DeBsnrRecognizer", digits=9),
    "DE_FUEHRERSCHEIN": Entity("DeFuehrerscheinRecognizer", digits=8),
    "DE_HANDELSREGISTER": Entity("DeHandelsregisterRecognizer", digits=1),
    "DE_HEALTH_INSURANCE": Entity("DeHealthInsuranceRecognizer", digits=9),
    "DE_ID_CARD": Entity("DeIdCardRecognizer", digits=1),
    "DE_KFZ": Entity("DeKfzRecognizer", digits=1),
    "DE_LANR": Entity("DeLanrRecognizer", digits=9),
    "DE_PASSPORT": Entity("DePassportRecognizer", digits=1),
    "DE_PLZ": Entity("DePlzRecognizer", digits=5),
    "DE_SOCIAL_SECURITY": Entity("DeSocialSecurityRecognizer", digits=11),
    "DE_TAX_ID": Entity("DeTaxIdRecognizer", digits=11),
    "DE_TAX_NUMBER": Entity("DeTaxNumberRecognizer", digits=9),
    "DE_VAT_ID": Entity("DeVatIdRecognizer", digits=9),
    "EMAIL_ADDRESS": Entity("EmailRecognizer", any_of="@"),
    "ES_NIE": Entity("EsNieRecognizer", digits=7),
    "ES_NIF": Entity("EsNifRecognizer", digits=7),
    "ES_PASSPORT": Entity("EsPassportRecognizer", digits=6),
    "FI_PERSONAL_IDENTITY_CODE": Entity("FiPersonalIdentityCodeRecognizer", digits=9),
    "IBAN_CODE": Entity(
        "IbanRecognizer", digits=2, shape=r"[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{4}){2}"
    ),
    "IN_AADHAAR": Entity("InAadhaarRecognizer", digits=12),
    "IN_GSTIN": Entity("InGstinRecognizer", digits=2),
    "IN_PAN": Entity("InPanRecognizer", digits=4),
    "IN_PASSPORT": Entity("InPassportRecognizer", digits=7),
    "IN_VEHICLE_REGISTRATION": Entity("InVehicleRegistrationRecognizer", digits=3),
    "IN_VOTER": Entity("InVoterRecognizer", digits=7),
    "IP_ADDRESS": Entity("IpRecognizer", any_of=".:"),
    "IT_DRIVER_LICENSE": Entity("ItDriverLicenseRecognizer", digits=1),
    "IT_FISCAL_CODE": Entity("ItFiscalCodeRecognizer"),
    "IT_IDENTITY_CARD": Entity("ItIdentityCardRecognizer", digits=5),
    "IT_PASSPORT": Entity("ItPassportRecognizer", digits=7),
    "IT_VAT_CODE": Entity("ItVatCodeRecognizer", digits=11),
    "KR_BRN": Entity("KrBrnRecognizer", digits=10),
    "KR_DRIVER_LICENSE": Entity("KrDriverLicenseRecognizer", digits=12),
    "KR_FRN": Entity("KrFrnRecognizer", digits=13),
    "KR_PASSPORT": Entity("KrPassportRecognizer", digits=7),
    "KR_RRN": Entity("KrRrnRecognizer", digits=13),
    "MAC_ADDRESS": Entity("MacAddressRecognizer", any_of=".:-"),
    "MEDICAL_LICENSE": Entity("MedicalLicenseRecognizer", digits=7),
    "NG_NIN": Entity("NgNinRecognizer", digits=11),
    "NG_VEHICLE_REGISTRATION": Entity("NgVehicleRegistrationRecognizer", digits=3),
    "PHONE_NUMBER": Entity("PhoneRecognizer", digits=4, alone=0.4, words=_PHONE_WORDS),
    "PH_PASSPORT": Entity("PhPassportRecognizer", digits=7),
    "PH_TIN": Entity("PhTinRecognizer", digits=9),
    "PH_UMID": Entity("PhUmidRecognizer", digits=12),
    "PL_PESEL": Entity("PlPeselRecognizer", digits=11),
    "SE_ORGANISATIONSNUMMER": Entity("SeOrganisationsnummerRecognizer", digits=10),
    "SE_PERSONNUMMER": Entity("SePersonnummerRecognizer", digits=10),
    "SG_NRIC_FIN": Entity("SgFinRecognizer", digits=7),
    "SG_UEN": Entity("SgUenRecognizer", digits=6),
    "TH_TNIN": Entity("ThTninRecognizer", digits=13),
    "TR_LICENSE_PLATE": Entity("TrLicensePlateRecognizer", digits=4),
    "TR_NATIONAL_ID": Entity("TrNationalIdRecognizer", digits=11),
    "UK_DRIVING_LICENCE": Entity("UkDrivingLicenceRecognizer", digits=6),
    "UK_NHS": Entity("NhsRecognizer", digits=10),
    "UK_NINO": Entity("UkNinoRecognizer", digits=6),
    "UK_PASSPORT": Entity("UkPassportRecognizer", digits=7),
    "UK_POSTCODE": Entity("UkPostcodeRecognizer", digits=1),
    "UK_VEHICLE_REGISTRATION": Entity("UkVehicleRegistrationRecognizer", digits=1),
    "URL": Entity("UrlRecognizer", any_of="."),
    "US_BANK_NUMBER": Entity("UsBankRecognizer", digits=8),
    "US_CLAIM_NUMBER": Entity("UsClaimNumberRecognizer", digits=6),
    "US_DRIVER_LICENSE": Entity("UsLicenseRecognizer", digits=1),
    "US_HEALTH_INSURANCE_MEMBER_ID": Entity("UsHealthInsuranceMemberIdRecognizer", digits=1),
    "US_ITIN": Entity("UsItinRecognizer", digits=9),
    "US_MBI": Entity("UsMbiRecognizer", digits=5),
    "US_NPI": Entity("UsNpiRecognizer", digits=10),
    "US_PASSPORT": Entity("UsPassportRecognizer", digits=8),
    "US_PRESCRIPTION_NUMBER": Entity("UsPrescriptionNumberRecognizer", digits=6),
    "US_PRIOR_AUTHORIZATION_NUMBER": Entity("UsPriorAuthorizationNumberRecognizer", digits=6),
    "US_PROVIDER_TAX_ID": Entity("UsProviderTaxIdRecognizer", digits=9),
    "US_REFERRAL_NUMBER": Entity("UsReferralNumberRecognizer", digits=6),
    "US_SSN": Entity("UsSsnRecognizer", digits=9, shape="[0-9]{3}[- .]?[0-9]{2}[- .]?[0-9]{4}"),
    "UUID": Entity("UuidRecognizer", any_of="-"),
    "ZA_COMPANY_REGISTRATION": Entity("ZaCompanyRegistrationRecognizer", digits=10),
    "ZA_DRIVER_LICENSE": Entity("ZaDriverLicenseRecognizer", digits=6),
    "ZA_ID_NUMBER": Entity("ZaIdNumberRecognizer", digits=13),
    "ZA_INCOME_TAX_NUMBER": Entity("ZaIncomeTaxNumberRecognizer", digits=10),
    "ZA_LICENSE_PLATE": Entity("ZaLicensePlateRecognizer", digits=2),
    "ZA_MOBILE_NUMBER": Entity("ZaMobileNumberRecognizer", digits=4),
    "ZA_PASSPORT": Entity("ZaPassportRecognizer", digits=8),
    "ZA_TELEPHONE_NUMBER": Entity("ZaTelephoneNumberRecognizer", digits=4),
    "ZA_TRAFFIC_REGISTER_NUMBER": Entity("ZaTrafficRegisterNumberRecognizer", digits=13),
    "ZA_VAT_NUMBER": Entity("ZaVatNumberRecognizer", digits=10),
}

NEEDS_MODEL = frozenset(
    {
        "AGE",
        "ID",
        "LOCATION",
        "MEDICAL_BIOLOGICAL_ATTRIBUTE",
        "MEDICAL_BIOLOGICAL_STRUCTURE",
        "MEDICAL_CLINICAL_EVENT",
        "MEDICAL_DISEASE_DISORDER",
        "MEDICAL_FAMILY_HISTORY",
        "MEDICAL_HISTORY",
        "MEDICAL_MEDICATION",
        "MEDICAL_THERAPEUTIC_PROCEDURE",
        "NRP",
        "ORGANIZATION",
        "PERSON",
    }
)
"""Presidio's entities that only a trained model finds; a known name deserves a known reason."""
