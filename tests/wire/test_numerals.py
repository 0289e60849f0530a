"""Numbers of many digits are texts; a tool's numbers all are."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import zoneinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, computed_field

from guardrails.errors import WireFormatError
from guardrails.wire.replies import reply_in_place_of
from guardrails.wire.values import read_value

CARD = 4111111111111111


class Paid(BaseModel):
    card: int
    text: str = ""


class Greeting(BaseModel):
    name: str

    @computed_field  # type: ignore[prop-decorator]
    @property
    def greeting(self) -> str:
        return f"Hello {self.name}"


class Account(enum.IntEnum):
    OURS = CARD


def texts(value: object, kind: Any = "text") -> list[str]:
    return [part.text for part in read_value(value, role="assistant", kind=kind).parts]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (CARD, [str(CARD)]),
        (-CARD, [f"-{CARD}"]),
        (float(CARD), [str(CARD)]),
        (12345678.5, ["12345678.5"]),
        (Decimal(CARD), [str(CARD)]),
        (Decimal("4.111111111111111E+15"), [str(CARD)]),
        (Decimal("0.12345678"), ["0.12345678"]),
        (Fraction(CARD, 7), [f"{CARD}/7"]),
        (complex(0, float(CARD)), ["4111111111111111j"]),
        ({CARD: 1}, [str(CARD)]),
        ({("a", CARD)}, ["a", str(CARD)]),
        (Paid(card=CARD), [str(CARD), ""]),
        (Account.OURS, [str(CARD)]),
        (range(CARD), [str(CARD)]),
        (1234567, []),
        (Decimal("99.95"), []),
        (0.30000000000000004, []),
        (1e-12, []),
        (True, []),
    ],
    ids=repr,
)
def test_promise_2_a_number_of_eight_digits_is_judged_as_it_is_written(
    value: object, found: list[str]
) -> None:
    assert texts(value) == found


@pytest.mark.parametrize("value", [CARD, {"a": CARD}, {CARD: 1}, Paid(card=CARD), range(CARD)])
def test_promise_1_a_number_is_never_changed(value: object) -> None:
    reading = read_value(value, role="assistant")
    index = [part.text for part in reading.parts].index(str(CARD))
    with pytest.raises(WireFormatError):
        reading.write({index: "1"})


def test_a_blocked_value_keeps_no_long_number() -> None:
    assert reply_in_place_of(Paid(card=CARD, text="t"), "no", "/text") == Paid(card=0, text="no")
    assert reply_in_place_of(Paid(card=12, text="t"), "no", "/text") == Paid(card=12, text="no")


def test_promise_2_a_number_that_nobody_can_write_is_unreadable() -> None:
    (part,) = read_value(10**5_000, role="assistant").parts
    assert not part.readable


@pytest.mark.parametrize(
    "value", [{"n": 7}, {"n": 7, "on": datetime.date(2026, 1, 1)}, {"n": 7, "x": {None}}]
)
def test_promise_2_every_number_of_a_tool_call_is_a_text(value: dict[str, Any]) -> None:
    assert texts(value, "tool_call")[:2] == ["n", "7"]


def test_a_tools_number_can_be_changed() -> None:
    arguments = {"n": CARD, "half": 0.5, "on": datetime.date(2026, 1, 1)}
    reading = read_value(arguments, role="assistant", kind="tool_call")
    assert reading.write({1: "[CARD]", 3: "2"}) == {**arguments, "n": "[CARD]", "half": 2}


ZONE = zoneinfo.ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "moment",
    [
        datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        datetime.datetime(2026, 1, 1, tzinfo=ZONE),
        datetime.datetime.fromisoformat("2026-01-01T00:00:00+02:00"),
        TypeAdapter(datetime.datetime).validate_python("2026-01-01T00:00:00+02:00"),
        datetime.time(1, tzinfo=datetime.UTC),
        datetime.UTC,
        ZONE,
    ],
    ids=repr,
)
def test_times_in_known_zones_are_no_texts(moment: object) -> None:
    assert texts(moment) == []


def test_what_a_model_computes_is_judged_and_changes_with_its_fields() -> None:
    reading = read_value(Greeting(name="ann"), role="assistant")
    assert [part.text for part in reading.parts] == ["ann", "Hello ann"]
    rewritten = reading.rewrite({0: "bob"})
    assert [part.text for part in rewritten.parts] == ["bob", "Hello bob"]
    with pytest.raises(WireFormatError, match="computes"):
        reading.write({1: "Hello you"})


@dataclasses.dataclass
class Noted:
    text: str


def test_promise_2_what_stands_beside_the_fields_is_not_passed_over() -> None:
    note = Noted("seen")
    note.beside = "unseen"  # type: ignore[attr-defined]
    (part,) = read_value(note, role="assistant").parts
    assert (part.kind, part.name) == ("opaque", "Noted")
