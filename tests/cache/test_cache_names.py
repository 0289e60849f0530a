"""Names and MACs: keyed, apart for each tenant, and silent about what they name."""

from __future__ import annotations

import itertools

import pytest

from guardrails.cache.names import Names
from guardrails.cache.value import Kept, Place, decode, encode

NAMES = Names(b"k" * 32)


def test_names_differ_by_key_tenant_and_every_border_between_fields() -> None:
    made = [
        names.of(tenant, fields)
        for names, tenant in itertools.product([NAMES, Names(b"l" * 32)], ["a", "b", ""])
        for fields in (["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], [], ["c", "ab"])
    ]
    assert len(set(made)) == len(made)
    assert {len(name) for name in made} == {32}


def test_a_name_is_the_same_again() -> None:
    assert NAMES.of("a", ["x"]) == Names(b"k" * 32).of("a", ["x"])


def test_lone_surrogates_have_names_too() -> None:
    assert NAMES.of("a", ["\ud800"]) != NAMES.of("a", ["\ufffd"])


def test_a_seal_holds_for_its_name_and_every_byte() -> None:
    name, other = NAMES.of("a", ["x"]), NAMES.of("b", ["x"])
    sealed = NAMES.sealed(name, b"pass")
    assert NAMES.opened(name, sealed) == b"pass"
    assert NAMES.opened(other, sealed) is None
    assert Names(b"l" * 32).opened(name, sealed) is None
    for at in range(len(sealed)):
        broken = bytes([*sealed[:at], sealed[at] ^ 1, *sealed[at + 1 :]])
        assert NAMES.opened(name, broken) is None
    for short in (b"", sealed[:4], sealed[:-1], sealed + b"\0"):
        assert NAMES.opened(name, short) is None


def test_no_key_in_a_repr() -> None:
    assert repr(NAMES) == "<Names>"


@pytest.mark.parametrize(
    "kept",
    [
        Kept(value="pass"),
        Kept(value="breach"),
        Kept(value="breach", place=Place(piece=2, span=(3, 9))),
    ],
    ids=["pass", "missing", "quoted"],
)
def test_a_verdict_comes_back_as_it_was_kept(kept: Kept) -> None:
    dated = decode(encode(kept, at=12.9))
    assert dated is not None
    assert (dated.kept, dated.at) == (kept, 12)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'[2,"pass",null,1]',
        b'[1,"undecided",null,1]',
        b'[1,"pass",[0,0,1],1]',
        b'[1,"breach",[0,5,5],1]',
        b'[1,"breach",[-1,0,5],1]',
        b'[1,"breach",[0,1],1]',
        b'[1,"pass",null,"1"]',
    ],
)
def test_what_is_not_of_this_form_is_not_read(value: bytes) -> None:
    assert decode(value) is None
