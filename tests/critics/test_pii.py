"""The critic `pii`: a table of cases, its configuration, what it tells and what stays inside."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

import pytest
from pydantic import ValidationError

from critics.pii import PiiConfig, PiiCritic
from critics.pii.entities import ENTITIES
from guardrails.constitution.model import Constitution, CriticUse, Principle
from guardrails.critic.limits import BudgetHandle, Deadline
from guardrails.critic.protocol import (
    Critic,
    CriticFinding,
    Critique,
    CritiqueRequest,
    Resources,
    Rule,
    Target,
    Width,
)
from guardrails.critic.registry import CriticRegistry
from guardrails.errors import CriticError, CriticTimeout
from guardrails.exchange import Context, Part
from guardrails.settings import Settings
from guardrails.text.normalise import normalise
from guardrails.text.scan import MOST_HITS
from guardrails.verdict import Action, Stage

CARD = "4111 1111 1111 1111"
IBAN = "DE89 3704 0044 0532 0130 00"
SSN = "536-22-8731"
EMAIL = "jane.doe@example.com"
PHONE = "212-555-0123"


def rule(
    entity: str,
    action: Action = "redact",
    *,
    min_score: float = 0.5,
    keep: Sequence[str] = (),
    id: str | None = None,
) -> Rule:
    config = PiiConfig(entity=entity, min_score=min_score, keep=tuple(keep))
    principle = Principle(
        id=id or f"pii.output.{entity}",
        text=f"No {entity}.",
        actions={Stage.OUTPUT: action},
        entity=entity,
        critics=(CriticUse(name="pii", tier="deterministic", config=config),),
    )
    return Rule(principle=principle, config=config)


def bind(*rules: Rule, languages: tuple[str, ...] = ("en",)) -> PiiCritic:
    constitution = Constitution(
        id="test",
        version="1.0.0",
        digest="sha256:0",
        languages=languages,
        principles=tuple(rule.principle for rule in rules),
        reply_blocked={"en": "No."},
        reply_unavailable={"en": "Later."},
    )
    return PiiCritic.bind(rules, Resources(constitution=constitution, settings=Settings()))


async def critique(
    critic: PiiCritic,
    *texts: str,
    asked: Sequence[str] | None = None,
    context: Context | None = None,
    seconds: float = 60,
) -> Critique:
    ids = [watch.principle.id for watch in critic._watches]
    views = [normalise(text).text for text in texts]
    return await critic.critique(
        CritiqueRequest(
            stage=Stage.OUTPUT,
            parts=tuple(Part(text=view) for view in views),
            targets=tuple(Target(part=i, text=view) for i, view in enumerate(views)),
            asked=tuple(ids if asked is None else asked),
            context=context or Context(),
            deadline=Deadline(seconds),
            budget=BudgetHandle(
                deadline_s=seconds, max_chars=10_000_000, max_calls=0, max_tokens=0
            ),
        )
    )


def told(findings: Sequence[CriticFinding], text: str) -> list[str]:
    view = normalise(text).text
    return [view[finding.span[0] : finding.span[1]] for finding in findings if finding.span]


async def found(text: str, *rules: Rule, languages: tuple[str, ...] = ("en",)) -> list[str]:
    return told((await critique(bind(*rules, languages=languages), text)).findings, text)


# -- what is found ---------------------------------------------------------------------------------

CASES: Mapping[str, tuple[str, str, list[str]]] = {
    "card": ("CREDIT_CARD", "Charge it to 4111 1111 1111 1111.", ["4111 1111 1111 1111"]),
    "card, dashes": ("CREDIT_CARD", "5555-5555-5555-4444", ["5555-5555-5555-4444"]),
    "card, amex": ("CREDIT_CARD", "amex 378282246310005 ok", ["378282246310005"]),
    "card, no blanks": ("CREDIT_CARD", "pay:4111111111111111!", ["4111111111111111"]),
    "card, checksum wrong": ("CREDIT_CARD", "4111 1111 1111 1112", []),
    "card, one digit short": ("CREDIT_CARD", "4111 1111 1111 111", []),
    "card, full-width digits": (
        "CREDIT_CARD",
        "カード ４１１１ １１１１ １１１１ １１１１ です",
        ["4111 1111 1111 1111"],
    ),
    "card, zero-width between": (
        "CREDIT_CARD",
        "4111\u200b1111\u200b1111\u200b1111",
        ["4111111111111111"],
    ),
    "two cards": (
        "CREDIT_CARD",
        "4111111111111111 or 5555555555554444",
        ["4111111111111111", "5555555555554444"],
    ),
    "an order number": ("CREDIT_CARD", "Order 9876543210123456 has shipped.", []),
    "iban": ("IBAN_CODE", f"Send it to {IBAN}, please.", [IBAN]),
    "iban, compact": ("IBAN_CODE", "GB29NWBK60161331926819", ["GB29NWBK60161331926819"]),
    "iban, then words": (
        "IBAN_CODE",
        "DE89370400440532013000 2 days from today",
        ["DE89370400440532013000"],
    ),
    "iban, checksum wrong": ("IBAN_CODE", "DE88 3704 0044 0532 0130 00", []),
    "iban, lower case": ("IBAN_CODE", "de89370400440532013000", []),
    "iban, full-width": (
        "IBAN_CODE",
        "ＤＥ８９３７０４００４４０５３２０１３０００",
        ["DE89370400440532013000"],
    ),
    "ssn": ("US_SSN", f"My ssn is {SSN}.", [SSN]),
    "ssn, dashes alone": ("US_SSN", f"It is {SSN}.", [SSN]),
    "ssn, digits need a word and more": ("US_SSN", "social security 536228731", []),
    "ssn, all one digit": ("US_SSN", "ssn 111-11-1111", []),
    "ssn, area 000": ("US_SSN", "ssn 000-22-8731", []),
    "a date is no ssn": ("US_SSN", "On 2021-06-23 it rained.", []),
    "e-mail": ("EMAIL_ADDRESS", f"Write to {EMAIL}.", [EMAIL]),
    "e-mail, plus": ("EMAIL_ADDRESS", "a+b@example.co.uk", ["a+b@example.co.uk"]),
    "e-mail in brackets": ("EMAIL_ADDRESS", f"Jane <{EMAIL}>", [EMAIL]),
    "e-mail, unicode": ("EMAIL_ADDRESS", "пишите: иван@пример.com", ["иван@пример.com"]),
    "e-mail, umlaut": ("EMAIL_ADDRESS", "jörg@müller.de bitte", ["jörg@müller.de"]),
    "e-mail, full-width": (
        "EMAIL_ADDRESS",
        "ｊａｎｅ＠ｅｘａｍｐｌｅ．ｃｏｍ",
        ["jane@example.com"],
    ),
    "e-mail, no such domain": ("EMAIL_ADDRESS", "jane@example.nosuchtld", []),
    "e-mail, no domain": ("EMAIL_ADDRESS", "jane@home", []),
    "a handle": ("EMAIL_ADDRESS", "Follow @jane on the site.", []),
    "a decorator": ("EMAIL_ADDRESS", "@guarded('base')\nasync def f(): ...", []),
    "phone, word before": ("PHONE_NUMBER", f"My phone is {PHONE}.", [PHONE]),
    "phone, no word": ("PHONE_NUMBER", f"Try {PHONE}.", []),
    "phone, international": ("PHONE_NUMBER", "phone: +44 20 7946 0958", ["+44 20 7946 0958"]),
    "phone, brackets": ("PHONE_NUMBER", "mobile (212) 555-0123", ["(212) 555-0123"]),
    "phone, french": ("PHONE_NUMBER", "mobile 06 12 34 56 78", ["06 12 34 56 78"]),
    "phone, arabic digits": ("PHONE_NUMBER", "phone +٩٧٢٣٦١٢٣٤٥٦", ["+97236123456"]),
    "card, arabic digits": ("CREDIT_CARD", "٤١١١١١١١١١١١١١١١", ["4111111111111111"]),
    "card, keycaps": ("CREDIT_CARD", "4⃣" + "1⃣" * 15, ["4111111111111111"]),
    "phone, full-width": ("PHONE_NUMBER", "phone ２１２－５５５－０１２３", ["212-555-0123"]),
    "a year": ("PHONE_NUMBER", "The number of 2019 was 1234.", []),
    "ip": ("IP_ADDRESS", "host 192.168.0.1 up", ["192.168.0.1"]),
    "ip, version 6": ("IP_ADDRESS", "ping 2001:db8::1 now", ["2001:db8::1"]),
    "ip, out of range": ("IP_ADDRESS", "host 292.168.0.999 up", []),
    "url": ("URL", "see https://example.com/a?b=c now", ["https://example.com/a?b=c"]),
    "mac": ("MAC_ADDRESS", "00:1A:2B:3C:4D:5E", ["00:1A:2B:3C:4D:5E"]),
    "uuid": (
        "UUID",
        "id 123e4567-e89b-12d3-a456-426614174000",
        ["123e4567-e89b-12d3-a456-426614174000"],
    ),
    "date": ("DATE_TIME", "born 12/31/1980", ["12/31/1980"]),
    "bitcoin": (
        "CRYPTO",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"],
    ),
    "nhs": ("UK_NHS", "nhs 943 476 5919", ["943 476 5919"]),
    "spanish nif": ("ES_NIF", "DNI 12345678Z", ["12345678Z"]),
    "nothing": ("CREDIT_CARD", "", []),
    "only blanks": ("EMAIL_ADDRESS", " \n\t ", []),
    "lone surrogate": ("EMAIL_ADDRESS", f"\ud800 {EMAIL}", [EMAIL]),
    "control characters": ("US_SSN", f"\x00\x1b[31m ssn {SSN}\x07", [SSN]),
}


@pytest.mark.parametrize(("entity", "text", "expected"), CASES.values(), ids=CASES)
async def test_finds_and_leaves(entity: str, text: str, expected: list[str]) -> None:
    assert await found(text, rule(entity)) == expected


async def test_a_context_word_raises_the_score() -> None:
    bound = bind(rule("US_SSN", min_score=0.0))
    with_word = await critique(bound, f"My ssn is {SSN}.")
    without = await critique(bound, f"It is {SSN}.")
    assert [f.reason for f in with_word.findings] == ["US_SSN 0.85"]
    assert [f.reason for f in without.findings] == ["US_SSN 0.50"]


# -- configuration ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entity", "message"),
    [
        ("EMAIL", "did you mean 'EMAIL_ADDRESS'"),
        ("credit_card", "did you mean 'CREDIT_CARD'"),
        ("US_SNN", "did you mean 'US_SSN'"),
        ("", "unknown entity ''"),
        ("x" * 100_000, "unknown entity"),
        ("PERSON", "needs a trained model"),
        ("LOCATION", "needs a trained model"),
        ("ORGANIZATION", "needs a trained model"),
    ],
)
def test_an_entity_nobody_can_find_is_refused(entity: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        PiiConfig(entity=entity)
    assert len(caught.value.errors()[0]["msg"]) < 300


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan"), float("inf"), "high", None])
def test_a_score_lies_between_0_and_1(score: object) -> None:
    with pytest.raises(ValidationError):
        PiiConfig.model_validate({"entity": "US_SSN", "min_score": score})


@pytest.mark.parametrize("value", ["", "  ", "\u200b"])
def test_a_value_to_keep_is_not_empty(value: str) -> None:
    with pytest.raises(ValidationError, match="empty"):
        PiiConfig(entity="US_SSN", keep=(value,))


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="scores"):
        PiiConfig.model_validate({"entity": "US_SSN", "scores": 1})


def test_the_schema_names_every_entity() -> None:
    schema = PiiConfig.model_json_schema()
    assert schema["properties"]["entity"]["enum"] == sorted(ENTITIES)


def test_pseudonyms_are_refused_as_not_there_yet() -> None:
    pseudonyms = rule("US_SSN", "pseudonymise")
    assert "not there yet" in pseudonyms.config.problems(pseudonyms.principle)[0][1]
    masks = rule("US_SSN", "mask")
    assert masks.config.problems(masks.principle) == ()


# -- the critic ------------------------------------------------------------------------------------


def test_is_found_by_its_name_and_keeps_the_protocol() -> None:
    entry = CriticRegistry()["pii"]
    assert entry.critic is PiiCritic
    assert (entry.tier, entry.config) == ("deterministic", PiiConfig)
    assert isinstance(bind(), Critic)


def test_its_version_names_what_decides() -> None:
    assert "presidio-analyzer-2.2" in PiiCritic.version


def test_needs_a_width_and_declares_no_pattern() -> None:
    bound = bind(rule("US_SSN"))
    assert bound.need(Stage.OUTPUT) == Width(160)
    assert bound.declared() == ()


@pytest.mark.parametrize(
    ("before", "after", "is_open"),
    [
        ("Call me. ", "Then we", False),
        ("Call me on 555. ", "123", True),
        ("Call me on 555. ", "123 " * 60, False),
        ("It is in HRB\n", "1", True),
        ("Write to a@b.com.\n", "Th", False),
        ("رقم ٤١١١\n", "", True),
    ],
)
def test_a_sentence_waits_only_for_what_may_go_on(before: str, after: str, is_open: bool) -> None:
    bound = bind(rule("US_SSN"))
    assert bound.is_open(Stage.OUTPUT, before + after, len(before)) is is_open


async def test_tells_part_span_and_score_of_each_finding() -> None:
    result = await critique(bind(rule("US_SSN")), "nothing here", f"ssn {SSN}")
    assert result.looked == {"pii.output.US_SSN"}
    assert result.verdicts == {}
    (finding,) = result.findings
    assert (finding.part, finding.span, finding.value) == (1, (4, 15), "breach")
    assert finding.reason == "US_SSN 0.85"


async def test_speaks_only_of_what_was_asked() -> None:
    bound = bind(rule("US_SSN"), rule("EMAIL_ADDRESS"))
    result = await critique(bound, f"{SSN} {EMAIL}", asked=["pii.output.EMAIL_ADDRESS"])
    assert result.looked == {"pii.output.EMAIL_ADDRESS"}
    assert {f.principle for f in result.findings} == result.looked


async def test_what_is_allowed_is_looked_at_and_not_told() -> None:
    result = await critique(bind(rule("EMAIL_ADDRESS", "allow")), EMAIL)
    assert result.looked == {"pii.output.EMAIL_ADDRESS"}
    assert result.findings == ()


async def test_each_rule_has_its_own_score() -> None:
    low = rule("PHONE_NUMBER", min_score=0.4, id="low")
    high = rule("PHONE_NUMBER", min_score=0.6, id="high")
    result = await critique(bind(low, high), f"Try {PHONE} or phone {PHONE}")
    assert [f.principle for f in result.findings] == ["low", "low", "high"]


async def test_overlapping_findings_are_all_told() -> None:
    text = "mail jane@example.com"
    assert await found(text, rule("EMAIL_ADDRESS"), rule("URL")) == [text[5:], "example.com"]


async def test_of_too_many_the_last_covers_the_rest_of_the_text() -> None:
    text = "jo@example.org " * (MOST_HITS + 7)
    critic = bind(rule("EMAIL_ADDRESS"), rule("URL"))
    findings = (await critique(critic, text)).findings
    mails = [finding for finding in findings if "EMAIL" in finding.principle]
    assert len(mails) == MOST_HITS + 1
    assert mails[0].span == (0, 14)
    assert mails[-1].span == (MOST_HITS * 15, len(text))


async def test_many_at_once_find_the_same() -> None:
    bound = bind(rule("US_SSN"), rule("EMAIL_ADDRESS"), rule("PHONE_NUMBER"))
    text = f"ssn {SSN}, {EMAIL}, phone {PHONE}"
    results = await asyncio.gather(*(critique(bound, text) for _ in range(16)))
    assert {result.findings for result in results} == {results[0].findings}
    assert len(results[0].findings) == 3


# -- keep ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keep", "text", "expected"),
    [
        (EMAIL, f"{EMAIL}, bob@example.com", ["bob@example.com"]),
        (EMAIL.upper(), EMAIL, []),
        ("ｊａｎｅ．ｄｏｅ@example.com", EMAIL, []),
        (EMAIL, "jane.doe@example.com.au", ["jane.doe@example.com.au"]),
        (EMAIL, "mary-jane.doe@example.com", ["mary-jane.doe@example.com"]),
        ("e", EMAIL, [EMAIL]),
        (".*", EMAIL, [EMAIL]),
    ],
    ids=["that value", "case", "normalised", "longer", "more before", "a letter", "no pattern"],
)
async def test_a_kept_value_is_left_alone(keep: str, text: str, expected: list[str]) -> None:
    assert await found(text, rule("EMAIL_ADDRESS", keep=[keep])) == expected


async def test_a_kept_value_shields_its_place_from_other_entities() -> None:
    keeping = rule("EMAIL_ADDRESS", keep=[EMAIL])
    assert await found(f"{EMAIL} or example.com", keeping, rule("URL")) == ["example.com"]


async def test_overlapping_values_to_keep_shield_both() -> None:
    keeping = rule("URL", keep=["docs.example.com/a", "example.com"])
    text = "docs.example.com/a and example.com and https://example.com/b"
    assert await found(text, keeping) == ["https://example.com/b"]


# -- language --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "language", ["en", "EN-gb", "es", "de", "zh", "ja", "ko", "th", "xx", "qq", "../x", ""]
)
async def test_an_entity_is_found_whatever_the_language(language: str) -> None:
    context = Context(language=language)
    text = f"DNI 12345678Z, ssn {SSN}, {EMAIL}"
    result = await critique(
        bind(rule("ES_NIF"), rule("US_SSN"), rule("EMAIL_ADDRESS")), text, context=context
    )
    assert told(result.findings, text) == ["12345678Z", SSN, EMAIL]


async def test_stop_words_are_those_of_the_language() -> None:
    # "call" is a stop word in English, and so no context word there.
    text = f"call {PHONE}"
    assert await found(text, rule("PHONE_NUMBER"), languages=("en",)) == []
    assert await found(text, rule("PHONE_NUMBER"), languages=("de", "en")) == [PHONE]


# -- bounds ----------------------------------------------------------------------------------------


async def test_finds_at_the_end_of_more_than_a_million_characters() -> None:
    text = ("x" * 99 + " ") * 10_001 + f"my ssn is {SSN}"
    assert await found(text, rule("US_SSN", min_score=0.8)) == [SSN]


async def test_the_loop_is_left_free(monkeypatch: pytest.MonkeyPatch) -> None:
    from critics.pii import analysis

    threads: list[int] = []

    def analyse(*_: object, **__: object) -> list[analysis.Hit]:
        threads.append(threading.get_ident())
        return []

    monkeypatch.setattr(analysis, "analyse", analyse)
    await critique(bind(rule("US_SSN")), SSN)
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("text", [SSN, f"phone {PHONE}"], ids=["at once", "phone"])
async def test_promise_10_stops_at_the_deadline(text: str) -> None:
    with pytest.raises(CriticTimeout):
        await critique(bind(rule("US_SSN"), rule("PHONE_NUMBER")), text, seconds=0)


def test_promise_10_a_phone_number_search_ends_at_the_deadline() -> None:
    from critics.pii.recognizers import deadline_of_search, recognizer_of

    readings = iter([0.0, *(n * 0.1 for n in range(1_000_000))])
    token = deadline_of_search.set(Deadline(1, clock=lambda: next(readings)))
    try:
        with pytest.raises(CriticTimeout):
            recognizer_of("PHONE_NUMBER").analyze("1234567 x " * 1_000, ["PHONE_NUMBER"])
    finally:
        deadline_of_search.reset(token)
    assert next(readings) < 2


async def test_promise_10_remembered_words_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from critics.pii import words

    monkeypatch.setattr(words, "MAX_WORDS", 2_000)
    bound = bind(rule("US_SSN"))
    for start in range(0, 10_000, 1_000):
        novel = " ".join(f"w{n}" for n in range(start, start + 1_000))
        await critique(bound, f"{novel} {SSN}")
    assert len(words._tokenizer("en")._nlp.vocab.strings) < 5_000


async def test_promise_2_a_pattern_given_up_on_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    import presidio_analyzer.pattern_recognizer as presidio

    from critics.pii import analysis

    monkeypatch.setattr(presidio, "REGEX_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(analysis, "REGEX_TIMEOUT_SECONDS", 0.05)
    logging.getLogger("presidio-analyzer").setLevel(logging.CRITICAL)  # it must not hang on a log
    try:
        with pytest.raises(CriticError, match="may have given up looking for URL"):
            await critique(bind(rule("URL")), "a.a-" * 500 + "@b.co")
    finally:
        logging.getLogger("presidio-analyzer").setLevel(logging.NOTSET)


# -- what stays inside -----------------------------------------------------------------------------


async def test_promise_9_errors_say_nothing_of_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    from critics.pii import analysis

    class Broken:
        def analyze(self, text: str, entities: list[str]) -> list[object]:
            raise ValueError(f"Did not find word {text!r}")

    monkeypatch.setattr(analysis, "recognizer_of", lambda entity: Broken())
    with pytest.raises(CriticError) as caught:
        await critique(bind(rule("US_SSN")), f"ssn {SSN}")
    assert str(caught.value) == "presidio failed to look for US_SSN: ValueError"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_promise_9_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    bound = bind(*(rule(entity, min_score=0) for entity in ENTITIES))
    await critique(bound, EMAIL)  # presidio tells its device when it is first imported
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "presidio-analyzer"):
        caplog.clear()
        result = await critique(bound, f"ssn {SSN} iban {IBAN} {EMAIL} phone {PHONE} card {CARD}")
    assert len(result.findings) > 5
    assert [r for r in caplog.records if r.name == "presidio-analyzer"] == []
    assert SSN not in caplog.text


def test_presidio_still_logs_for_others(caplog: pytest.LogCaptureFixture) -> None:
    import critics.pii.analysis  # noqa: F401

    logging.getLogger("presidio-analyzer").warning("somebody else's line")
    assert "somebody else's line" in caplog.text


async def test_promise_9_reasons_and_reprs_hold_no_text() -> None:
    result = await critique(bind(rule("US_SSN")), f"ssn {SSN}")
    assert SSN not in repr(result)
    assert SSN not in result.findings[0].reason


def _run(code: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=50
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


_ASK = """
import asyncio, sys, pathlib
sys.path.insert(0, str(pathlib.Path({tests!r})))
from test_pii import bind, critique, rule
bound = bind(*map(rule, ["CREDIT_CARD", "IBAN_CODE", "US_SSN", "EMAIL_ADDRESS", "PHONE_NUMBER"]))
result = asyncio.run(critique(bound, {text!r}))
"""


def _asking(text: str) -> str:
    from pathlib import Path

    return _ASK.format(tests=str(Path(__file__).parent), text=text)


def test_promise_7_presidio_is_not_loaded_for_a_text_that_can_hold_nothing() -> None:
    text = "In 2019 we sold 3 apples, 12,000 pears & 14.8 t of figs for $4.50; see §7. 你好!"
    loaded = _run(
        _asking(text)
        + "print([m for m in ('presidio_analyzer', 'spacy', 'phonenumbers', 'tldextract', 'regex')"
        " if m in sys.modules])"
    )
    assert loaded.strip() == "[]"


def test_promise_7_no_network_and_no_cache_is_asked() -> None:
    guard = (
        "import sys\n"
        "def deny(event, arguments):\n"
        "    if event.startswith(('socket.connect', 'socket.getaddrinfo')):\n"
        "        raise RuntimeError(event)\n"
        "    if event == 'open' and 'python-tldextract' in str(arguments[0]):\n"
        "        raise RuntimeError(event)\n"
        "sys.addaudithook(deny)\n"
    )
    assert _run(guard + _asking(EMAIL) + "print(len(result.findings))").strip() == "1"
