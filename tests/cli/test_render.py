"""A decision is told whole: verdict, why, what changed, what goes on, what nobody judged."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from guardrails.cli.render import decision
from guardrails.verdict import (
    Attempt,
    ConstitutionPin,
    Coverage,
    Decision,
    Edit,
    Finding,
    Stage,
    Verdict,
)

TEXT = "Rest it. Take 800 mg every four hours. Write to ann@x.example."
PIN = ConstitutionPin(id="medical", version="1.0.0", digest="sha256:0", offline=True)
ALLOWED = Decision(
    verdict=Verdict.ALLOW,
    cause=None,
    constitution=PIN,
    stage=Stage.OUTPUT,
    content=TEXT,
    text=TEXT,
    record_id="0193f0",
)
DOSE = Finding(
    principle="med.dosage",
    critic="pattern",
    value="breach",
    cause="policy",
    action="revise",
    severity="high",
    part=0,
    span=(9, 20),
)
MAIL = Finding(
    principle="pii.output.EMAIL_ADDRESS",
    critic="pii",
    value="breach",
    cause="policy",
    action="redact",
    part=0,
    span=(48, 61),
)
REVISED = replace(
    ALLOWED,
    verdict=Verdict.REVISE,
    cause="policy",
    findings=(MAIL, DOSE),
    attempts=(
        Attempt(
            method="remedy",
            edits=(
                Edit(part=0, span=(9, 38), replacement="Ask a doctor.", kind="replace_sentence"),
                Edit(part=0, span=(48, 61), replacement="[EMAIL_ADDRESS]", kind="redact"),
            ),
            verdict=Verdict.ALLOW,
            released=True,
        ),
    ),
)
BLOCKED = replace(
    ALLOWED,
    verdict=Verdict.BLOCK,
    cause="outage",
    text="Please try again.",
    reply_key="unavailable",
    findings=(replace(DOSE, value="undecided", cause="outage", action="block", span=None),),
)


def told(made: Decision, *, width: int = 80, colour: bool = False) -> str:
    out = io.StringIO()
    system = "truecolor" if colour else None
    console = Console(
        file=out, width=width, force_terminal=colour, color_system=system, highlight=False
    )
    console.print(decision(made, {0: TEXT}, colour=colour))
    return out.getvalue()


def test_an_allowed_text_is_one_line_and_its_record() -> None:
    lines = [line.rstrip() for line in told(ALLOWED).splitlines() if line.strip()]
    assert lines == [" ALLOW  medical 1.0.0 · output · offline", "  record 0193f0"]


def test_the_gravest_finding_comes_first_with_its_span_marked() -> None:
    text = told(REVISED)
    assert text.index("med.dosage → revise") < text.index("EMAIL_ADDRESS → redact")
    assert "⟦Take 800 mg⟧" in text
    assert "⟦ann@x.example⟧" in text
    assert "breach · high · pattern" in text


def test_a_revision_is_a_diff() -> None:
    flat = " ".join(told(REVISED).split())
    assert "[-Take 800 mg every four hours.-]{+Ask a doctor.+}" in flat
    assert "[-ann@x.example-]{+[EMAIL_ADDRESS]+}" in flat
    assert "replace sentence, redact" in flat


def test_a_refusal_shows_what_is_sent_instead() -> None:
    text = told(BLOCKED)
    assert "outage" in text
    assert "what the critic depends on is away" in text
    assert "sent instead (unavailable)" in text
    assert "Please try again." in text


def test_what_nobody_judged_is_said() -> None:
    coverage = Coverage(uncovered=("a.b", "c.d"), unjudged_parts=(1,), left_out=3)
    text = told(replace(ALLOWED, coverage=coverage))
    assert "not judged offline: a.b, c.d" in text
    assert "parts nobody can read: 1" in text
    assert "turns the judge did not see: 3" in text


def test_findings_of_one_kind_are_told_once() -> None:
    twice = replace(REVISED, findings=(DOSE, replace(DOSE, span=(21, 26)), MAIL))
    text = told(twice)
    assert text.count("med.dosage") == 1
    assert "revise ×2" in text
    assert "⟦every⟧" in text


def test_a_finding_in_an_unknown_part_is_listed_without_text() -> None:
    assert "med.dosage" in told(replace(BLOCKED, findings=(replace(DOSE, part=7),)))


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    assert all(len(line) <= width for line in told(REVISED, width=width).splitlines())


def test_colour_replaces_the_signs() -> None:
    text = told(REVISED, colour=True)
    assert "⟦" not in text
    assert "\x1b[" in text


@pytest.mark.parametrize("colour", [False, True], ids=["plain", "colour"])
def test_hostile_text_is_shown_not_obeyed(colour: bool) -> None:
    hostile = "\x1b[2J[red]boo[/red]\u202e:skull:"
    made = replace(
        BLOCKED,
        text=hostile,
        constitution=replace(PIN, id=hostile),
        findings=(replace(DOSE, principle=hostile, critic=hostile, reason=hostile),),
        coverage=Coverage(uncovered=(hostile,)),
        record_id=hostile,
        reply_key=hostile,
    )
    text = told(made, colour=colour, width=200)
    assert "\x1b[2J" not in text
    assert "\u202e" not in text
    assert "␛[2J[red]boo[/red]‹U+202E›:skull:" in text
