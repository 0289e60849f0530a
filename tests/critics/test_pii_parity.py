"""The critic's findings are those of presidio's own AnalyzerEngine, row for row.

The reference is the one of `benchmarks/pii_parity.py`, which compares files of real sentences.
Texts here are made up: every entity's values, right and wrong, with and without context words, in
several scripts and with noise between.
"""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import regex
import tldextract.tldextract
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberMatcher
from presidio_analyzer.predefined_recognizers import EmailRecognizer

from critics.pii.entities import ENTITIES
from critics.pii.recognizers import FLAGS, EmailPattern, recognizer_of
from guardrails.text.normalise import normalise

TEXTS = 520
ROOT = Path(__file__).parents[2]


def _parity() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pii_parity", ROOT / "benchmarks/pii_parity.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def parity() -> ModuleType:
    return _parity()


@pytest.fixture(autouse=True)
def snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The original e-mail recognizer must not ask the network here."""
    offline = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    monkeypatch.setattr(tldextract.tldextract, "TLD_EXTRACTOR", offline)


def digits(pick: random.Random, count: int) -> str:
    return "".join(pick.choice("0123456789") for _ in range(count))


def card(pick: random.Random) -> str:
    body = pick.choice(["4", "51", "37", "6011", "35"])
    body += digits(pick, pick.choice([14, 15]) - len(body))
    doubled = sum(int(c) if i % 2 else sum(divmod(2 * int(c), 10)) for i, c in _from_right(body))
    number = body + str(pick.choice([-doubled % 10] * 3 + [7]))
    mark = pick.choice(["", " ", "-"])
    return mark.join(number[i : i + 4] for i in range(0, len(number), 4))


def _from_right(body: str) -> list[tuple[int, str]]:
    return list(enumerate(reversed(body)))


def iban(pick: random.Random) -> str:
    country, length = pick.choice([("DE", 18), ("FR", 23), ("NL", 14), ("GB", 18)])
    body = digits(pick, length) if country == "DE" else "ABCD"[: pick.randint(0, 4)]
    body += digits(pick, length - len(body))
    value = int("".join(str(int(c, 36)) for c in f"{body}{country}00"))
    number = f"{country}{98 - value % 97 + pick.choice([0, 0, 0, 1]):02d}{body}"
    return pick.choice([number, " ".join(number[i : i + 4] for i in range(0, len(number), 4))])


def ssn(pick: random.Random) -> str:
    mark = pick.choice(["-", " ", ".", ""])
    return mark.join([digits(pick, 3), digits(pick, 2), digits(pick, 4)])


def email(pick: random.Random) -> str:
    local = pick.choice(["jane", "j.o'neil", "a+b", "иван", "-x-", "x..y", "{q}", "1.2.3"])
    domain = pick.choice(
        ["example.com", "пример.рф", "a-b.co.uk", "localhost", "x.nosuch", "a--b.de"]
    )
    return f"{local}@{domain}"


PHONES = (
    "+1 212 555 01##",
    "(212) 555-01##",
    "020 7946 0###",
    "+49 30 1234##",
    "06 12 34 56 ##",
    "+91 98765 432##",
    "555-01##",
    "164#",
    "+972 3 612 34##",
    "1-800-555-01## ext. 12",
)


def phone(pick: random.Random) -> str:
    return "".join(digits(pick, 1) if c == "#" else c for c in pick.choice(PHONES))


def other(pick: random.Random) -> str:
    return pick.choice(
        [
            f"{pick.randint(0, 299)}.{pick.randint(0, 299)}.0.{pick.randint(0, 9)}/24",
            f"2001:db8::{pick.randint(0, 65_535):x}",
            "a::b std::vector",
            f"{pick.randint(1, 31)}/{pick.randint(1, 12)}/{pick.randint(1900, 2030)}",
            f"2021-0{pick.randint(1, 9)}-{digits(pick, 2)}T10:00Z",
            f"https://www.example{digits(pick, 1)}.com/a?b={digits(pick, 2)}",
            "os.path np.array Finished.It",
            f"00:1A:2B:3C:4D:{digits(pick, 2)}",
            f"123e4567-e89b-12d3-a456-4266141740{digits(pick, 2)}",
            f"{digits(pick, 8)}{pick.choice('TRWAGMYFPDXBNJZSQVHLCKE')}",
            f"{pick.choice('ABX')}{digits(pick, 7)}",
            digits(pick, pick.randint(3, 18)),
            f"{digits(pick, 6)}-{digits(pick, 7)}",
            "RSSMRA85T10A562S",
            "SW1A 1AA AB12 CDE K1A 0B1",
        ]
    )


VALUES: tuple[Callable[[random.Random], str], ...] = (card, iban, ssn, email, phone, other)
WORDS = """
my your the a is was call phone number card visa ssn social security iban bank email mail birthday
date passport license duplicate explicit public account ip url website medical tarjeta fiscal
teléfono 电话 номер هاتف id: no: (re: #1 don't e.g. U.S. , ; — … 🙂
"""
SPACES = ("\n", "\n\n", "\t", "")
SCRIPTS = (
    str,
    str,
    str,
    str.upper,
    str.lower,
    lambda text: text.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789@."}),
    lambda text: text.translate({ord(c): 0x0660 + int(c) for c in "0123456789"}),
    lambda text: text.replace(" ", "\u00a0"),
)


def made_up(number: int) -> str:
    pick = random.Random(number)
    pieces: list[str] = []
    for _ in range(pick.randint(1, 6)):
        pieces += pick.choices([*WORDS.split(), *SPACES], k=pick.randint(0, 7))
        pieces.append(pick.choice(VALUES)(pick))
    return normalise(pick.choice(SCRIPTS)(pick.choice([" ", " ", " ", ""]).join(pieces))).text


@pytest.mark.parametrize("language", ["en", "es", "de"])
def test_finds_what_presidio_finds_in_made_up_texts(parity: ModuleType, language: str) -> None:
    reference = parity.Reference(ENTITIES, language=language)
    numbers = range(TEXTS) if language == "en" else range(0, TEXTS, 10)
    findings = 0
    for number in numbers:
        text = made_up(number)
        expected = reference.rows(text)
        found = parity.critic_rows(text, ENTITIES, language=language)
        assert found == expected, f"text {number}: {set(found) ^ set(expected)}"
        findings += len(expected)
    assert findings > 2 * len(numbers)


@pytest.mark.parametrize("min_score", [0.3, 0.5, 0.75, 1.0])
def test_a_least_score_leaves_the_same(parity: ModuleType, min_score: float) -> None:
    reference = parity.Reference(ENTITIES)
    for number in range(0, TEXTS, 10):
        text = made_up(number)
        expected = reference.rows(text, min_score=min_score)
        assert parity.critic_rows(text, ENTITIES, min_score=min_score) == expected


def test_finds_what_presidio_finds_in_a_long_text(parity: ModuleType) -> None:
    entities = ["CREDIT_CARD", "IBAN_CODE", "US_SSN", "EMAIL_ADDRESS", "PHONE_NUMBER", "DATE_TIME"]
    text = "\n".join(made_up(number) for number in range(150))
    expected = parity.Reference(entities).rows(text)
    assert len(expected) > 100
    assert parity.critic_rows(text, entities) == expected


ADDRESS = st.text(alphabet="aé0@.-!_ \n('٣", max_size=40)


@given(ADDRESS)
def test_the_linear_email_pattern_matches_as_the_original(text: str) -> None:
    original = regex.compile(EmailRecognizer.PATTERNS[0].regex, FLAGS)
    assert [m.span() for m in EmailPattern().finditer(text)] == [
        m.span() for m in original.finditer(text)
    ]


@pytest.mark.parametrize(
    "text",
    ["a.a." * 250_000 + "@", "a." * 500_000 + "@b.co", "x@" * 500_000, "x@" + "a-" * 500_000],
    ids=["no domain", "ends in a dot", "only ats", "long domain"],
)
def test_promise_10_an_email_search_takes_linear_time(text: str) -> None:
    """The original takes minutes of CPU for a fiftieth of these."""
    assert list(EmailPattern().finditer(text)) == []


def test_promise_2_a_phone_number_after_many_failures_is_found() -> None:
    number = "+27 82 555 0123"
    text = "1 1 1 1 1 1 1 1 x " * 8_000 + number
    assert list(PhoneNumberMatcher(text, "ZA", leniency=1)) == []  # gave up in silence
    found = recognizer_of("ZA_MOBILE_NUMBER").analyze(text, ["ZA_MOBILE_NUMBER"])
    assert [text[result.start : result.end] for result in found] == [number]
