"""What a revision may not make up, and what it may well say."""

from __future__ import annotations

import time

import pytest

from guardrails.pipeline.facts import new_facts

LABEL = "Adults take 200 mg to 400 mg every four hours, at most 1,200 mg a day, says Dr Okonjo."
LEAFLET = (
    "Erwachsene nehmen 200 mg, höchstens 1.200 mg am Tag. Bitte fragen Sie Ihre Apotheke, wenn "
    "die Schmerzen nicht aufhören."
)


@pytest.mark.parametrize(
    ("known", "text", "news"),
    [
        ("Take it.", "Take 400 mg of it.", ["400"]),
        (LABEL, "At most 2,400 mg a day.", ["2,400"]),
        (LABEL, "At most 1.2 mg a day.", ["1.2"]),
        (LABEL, "At most 12,00 mg.", ["12,00"]),
        (LABEL, "Take three tablets.", ["3"]),
        (LABEL, "Call +1 212 555 0123.", ["1 212 555", "0123"]),
        (LABEL, "By 2027-03-01.", ["2027", "03", "01"]),
        (LABEL, "Ask Professor Hartwell instead.", ["Professor", "Hartwell"]),
        (LABEL, "A study by Hartwell says so.", ["Hartwell"]),
        (LABEL, "So it is said by Mr. Hartwell.", ["Hartwell"]),
        (LABEL, "That is what the FDA says.", ["FDA"]),
        (LABEL, "In party terms, ask Art.", ["Art"]),
        (LABEL, "See https://example.com/dose.", ["https://example.com/dose."]),
        (LABEL, "See example.com for more.", ["example.com"]),
        (LABEL, "Write to help@example.org.", ["help@example.org."]),
        ("See https://example.com/a.", "See https://example.co.", ["https://example.co."]),
        ("See https://example.com.", "See https://example.com/b.", ["https://example.com/b."]),
        (LEAFLET, "Fragen Sie Herrn Kuhn.", ["Kuhn"]),
        (LEAFLET, "Das sagt auch die Ärztin Frau Dr. Weber bei uns.", ["Weber"]),
        (LEAFLET, "Das hat Martha Quandt nicht empfohlen.", ["Quandt"]),
        (LEAFLET, "Nehmen Sie zwei Tabletten.", ["2"]),
    ],
)
def test_what_nothing_vouches_for_is_new(known: str, text: str, news: list[str]) -> None:
    assert set(news) <= set(new_facts(text, [known]))


ORDINARY = (
    (LABEL, "A pharmacist or a doctor can tell what is right for you."),
    (LABEL, "I can't say what is right for you; I'm no doctor."),
    (LABEL, "I'd ask a pharmacist. I'll gladly explain what the label says."),
    (LABEL, 'Note: Ask a pharmacist. "Always read the label" is good advice.'),
    (LABEL, "The label says: at most 1200 mg a day."),
    (LABEL, "The label says: at most 1 200 mg a day, in steps of 200mg."),
    (LABEL, "Dr. Okonjo's advice stands: every 4 hours."),
    (LABEL, "Adults should not exceed 1,200.00 mg."),
    ("It was 10, then 200.", "It was 10 200 times."),
    (LABEL, "- Read the label.\n- Ask a pharmacist.\n* If in doubt, wait."),
    (LABEL, "1. Read the label.\n2. Ask a pharmacist.\n3) Wait."),
    (LABEL, "Some options (Read them first): one, or another."),
    (LABEL, "It depends. Everybody is different! Who knows? Nobody."),
    ("The Louvre opens at 09:00.", "The Louvre’s doors open at 9:00."),
    ("The Louvre opens at 9.", "It is said that the Louvre opens at 9."),
    ("See https://example.com/a.", "See example.com, or https://www.example.com/a"),
    ("Costs $3.50.", "It costs 3.5 dollars, or 3,50 in another writing."),
    ("There were two of them.", "There were 2 of them."),
    ("There were 12.", "There were twelve."),
    ("Das kostet 3,50 Euro.", "Der Preis ist 3,5 Euro."),
    (LEAFLET, "Bitte wenden Sie sich an Ihre Ärztin oder Ihren Arzt."),
    (LEAFLET, "Das kann nur eine Fachkraft in der Praxis beurteilen, die Ihre Werte kennt."),
    (LEAFLET, "Mehr als 1200 mg am Tag sollten Sie nicht nehmen."),
    (LEAFLET, "Für die Dauer der Behandlung ist Ihre Hausarztpraxis zuständig."),
    (LEAFLET, "Ob die Einnahme für Sie richtig ist, kann ich nicht sagen."),
    ("是的，每天两次。", "请咨询药剂师或医生。"),
    ("Prenez 200 mg.", "Demandez conseil à votre pharmacien ou à votre médecin."),
)


@pytest.mark.parametrize(("known", "text"), ORDINARY)
def test_ordinary_edits_state_nothing_new(known: str, text: str) -> None:
    assert new_facts(text, [known]) == []


def test_a_remedy_and_the_prompt_vouch_as_well() -> None:
    assert new_facts("Call 112 now.", ["Call somebody."]) == ["112"]
    assert new_facts("Call 112 now.", ["Call somebody.", "Tells to call 112."]) == []


def test_long_texts_take_time_in_proportion() -> None:
    def cpu(text: str) -> float:
        started = time.process_time()
        new_facts(text, [text])
        return time.process_time() - started

    for text in ("A1.a-", "1,", "1 000 ", "Ab ", "a.b.", " " * 8 + "A", "www.", '"A '):
        short, long = text * 4_000, text * 40_000
        assert cpu(long) < 25 * cpu(short) + 0.5, text
