"""Who is asking is said in texts, and a slip of the pen switches no principle off."""

from __future__ import annotations

from typing import Any

import pytest

from guardrails.constitution.model import Principle
from guardrails.exchange import Context
from guardrails.pipeline.matter import applies
from guardrails.verdict import Stage

FOR_PATIENTS = Principle(
    id="p.patients",
    text="Holds for patients.",
    actions={Stage.OUTPUT: "block"},
    applies={"audience": ("patient",)},
)


@pytest.mark.parametrize(
    "said",
    ["patient", "Patient", " PATIENT ", ["clinician", "patient"], {"Patient"}, [], (), "", None],
    ids=repr,
)
def test_a_principle_holds_for_whoever_may_be_meant(said: Any) -> None:
    attributes = {} if said is None else {"audience": said}
    assert applies(FOR_PATIENTS, Context(attributes=attributes))


@pytest.mark.parametrize("said", ["clinician", ["clinician", "nurse"]], ids=repr)
def test_a_principle_does_not_hold_for_others(said: Any) -> None:
    assert not applies(FOR_PATIENTS, Context(attributes={"audience": said}))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"tenant": 5}, "tenant"),
        ({"tenant": None}, "tenant"),
        ({"session": b"s"}, "session"),
        ({"language": ["en"]}, "language"),
        ({"attributes": [("audience", "patient")]}, "attributes"),
        ({"attributes": {"audience": 5}}, "audience"),
        ({"attributes": {"audience": {"patient": 1}}}, "audience"),
        ({"attributes": {"audience": b"patient"}}, "audience"),
        ({"attributes": {"audience": ["patient", None]}}, "audience"),
        ({"attributes": {5: "patient"}}, "name of an attribute"),
    ],
    ids=str,
)
def test_other_types_are_refused(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(TypeError, match=named):
        Context(**fields)
