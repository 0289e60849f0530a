from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from audit_samples import KEYS, closed, opened
from hypothesis import given
from hypothesis import strategies as st

from guardrails.audit.chain import COLUMNS, Chain, Entry, Fault, Follower, Row, columns, mac_of
from guardrails.audit.keys import Keys
from guardrails.audit.record import as_json, canonical

KEY = KEYS.derive("mac")


def grow(count: int, writer: str = "w1", keys: Keys = KEYS) -> list[Row]:
    """A chain of that many entries, as a store would give it back."""
    chain = Chain(key=keys.derive("mac"), key_id=keys.id, writer=writer)
    rows: list[Row] = []
    for number in range(count):
        kind, record = ("close", closed("r")) if number % 2 else ("open", opened(f"r{number}"))
        value = as_json(record)
        entry = chain.link(kind, canonical(value), columns(kind, value))  # type: ignore[arg-type]
        chain.advance(entry)
        rows.append(as_row(entry, number + 1))
    return rows


def as_row(entry: Entry, id: int) -> Row:
    return Row(
        id=id,
        writer=entry.writer,
        seq=entry.seq,
        mac=entry.mac,
        body=entry.body,
        columns=entry.columns,
    )


def faults(rows: Sequence[Row], keys: Keys = KEYS) -> list[Fault]:
    """What a verification of one writer's rows names, found as a store would sort them."""
    follower = Follower(key=keys.derive("mac"), key_id=keys.id)
    ordered = sorted(rows, key=lambda row: (row.seq, row.id))
    return [fault for row in ordered for fault in follower.follow(row)]


def named(rows: Sequence[Row]) -> list[tuple[str, int | None]]:
    return [(fault.what, fault.seq) for fault in faults(rows)]


CHAIN = grow(8)
OTHERS = grow(8, "w2")


@pytest.mark.parametrize("count", [0, 1, 2, 8])
def test_a_chain_as_written_has_no_fault(count: int) -> None:
    assert faults(grow(count)) == []


def test_several_entries_linked_before_one_is_stored_make_the_same_chain() -> None:
    one, many = (Chain(key=KEY, key_id="k", writer="w") for _ in range(2))
    last: Entry | None = None
    for _ in range(3):
        last = many.link("open", b"{}", (), last)
        one.advance(one.link("open", b"{}", ()))
    assert last is not None
    assert last.mac == one.tip
    assert many.seq == 0


@given(st.integers(0, 7), st.integers(0), st.integers(1, 255))
def test_any_changed_byte_is_found_at_its_entry(number: int, place: int, by: int) -> None:
    body = bytearray(CHAIN[number].body)
    body[place % len(body)] ^= by
    changed = [*CHAIN]
    changed[number] = replace(CHAIN[number], body=bytes(body))
    assert [seq for _, seq in named(changed)] == [number]
    assert named(changed)[0][0] in ("altered", "foreign_key")


@given(st.integers(0, 7), st.integers(0, 31), st.integers(1, 255))
def test_any_changed_mac_is_found_at_its_entry(number: int, place: int, by: int) -> None:
    mac = bytearray(CHAIN[number].mac)
    mac[place] ^= by
    changed = [*CHAIN]
    changed[number] = replace(CHAIN[number], mac=bytes(mac))
    assert named(changed) == [("altered", number)]


@given(st.sets(st.integers(0, 6), min_size=1))
def test_any_removal_but_that_of_the_tail_is_found(gone: set[int]) -> None:
    rows = [row for row in CHAIN if row.seq not in gone]
    found = faults(rows)
    assert {fault.what for fault in found} == {"missing"}
    runs = sum(1 for number in gone if number + 1 not in gone)
    assert len(found) == runs


@given(st.permutations(CHAIN))
def test_any_reorder_is_found(order: list[Row]) -> None:
    """Entries laid at each other's numbers, ids or both."""
    laid = [replace(row, id=at.id, seq=at.seq) for row, at in zip(order, CHAIN, strict=True)]
    moved = [at.seq for row, at in zip(order, CHAIN, strict=True) if row is not at]
    assert named(laid) == [("misplaced", seq) for seq in moved]


def test_rows_stored_in_another_order_are_found() -> None:
    rows = [*CHAIN]
    rows[2], rows[5] = replace(rows[2], id=rows[5].id), replace(rows[5], id=rows[2].id)
    assert {what for what, _ in named(rows)} == {"reordered"}


@given(st.integers(0, 7), st.integers(0, 7))
def test_an_inserted_copy_is_found(number: int, at: int) -> None:
    """An entry of the same chain, once more, at a number that is taken or new."""
    for copy in (replace(CHAIN[number], id=99), replace(CHAIN[number], id=99, seq=at)):
        assert "duplicated" in {what for what, _ in named([*CHAIN, copy])}
    appended = replace(CHAIN[number], id=99, seq=8)
    assert named([*CHAIN, appended]) == [("misplaced", 8)]


@given(st.integers(0, 7), st.integers(0, 7))
def test_an_entry_of_another_writer_is_found(number: int, other: int) -> None:
    rows = [*CHAIN]
    rows[number] = replace(OTHERS[other], id=rows[number].id, seq=number, writer="w1")
    assert named(rows) == [("misplaced", number)]


@pytest.mark.parametrize("column", range(len(COLUMNS)), ids=COLUMNS)
def test_a_changed_column_is_found_and_named(column: int) -> None:
    values = list(CHAIN[2].columns)
    values[column] = "changed"
    rows = [*CHAIN]
    rows[2] = replace(rows[2], columns=tuple(values))
    assert [fault.detail for fault in faults(rows)] == [f"{COLUMNS[column]} changed"]


def test_a_chain_forked_by_a_holder_of_the_key_is_found() -> None:
    """As when a machine's snapshot is brought back: true entries that do not follow each other."""
    forked = Chain(key=KEY, key_id=KEYS.id, writer="w1", seq=4, tip=CHAIN[2].mac)
    value = as_json(opened("r4"))
    rows = [*CHAIN]
    rows[4] = as_row(forked.link("open", canonical(value), columns("open", value)), 5)
    assert named(rows) == [("unlinked", 4), ("unlinked", 5)]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda row: replace(row, body=None),
        lambda row: replace(row, body=row.body.decode()),
        lambda row: replace(row, mac=None),
        lambda row: replace(row, mac="00"),
        lambda row: replace(row, mac=b""),
        lambda row: replace(row, body=b""),
        lambda row: replace(row, body=b"[" * 100_000),
        lambda row: replace(row, body=b'{"format":1}'),
        lambda row: replace(row, body=b'{"key_id":{}}'),
    ],
    ids=["null", "text", "no-mac", "text-mac", "empty-mac", "empty", "deep", "bare", "nested-key"],
)
def test_what_is_no_entry_is_named_not_raised(spoil: Callable[[Row], Row]) -> None:
    rows = [*CHAIN]
    rows[3] = spoil(rows[3])
    assert ("altered", 3) in named(rows)


def test_a_number_that_is_none_is_named() -> None:
    follower = Follower(key=KEY, key_id=KEYS.id)
    (fault,) = follower.follow(replace(CHAIN[0], seq=None))
    assert str(fault) == "altered: writer w1 record r0: not an entry at all"


def test_true_entries_of_a_later_format_are_told_from_altered_ones() -> None:
    body = b'{"format":2}'
    assert named([replace(CHAIN[0], body=body, mac=mac_of(KEY, body))]) == [("unreadable", 0)]


def test_another_key_is_named_once() -> None:
    (fault,) = faults(CHAIN, Keys(b"\x01" * 32))
    assert fault.what == "foreign_key"
    assert KEYS.id in fault.detail


def test_a_fault_says_where_and_what() -> None:
    (fault,) = faults([*CHAIN[:2], *CHAIN[4:]])
    assert str(fault) == "missing: writer w1 entry 4 record r4: entries 2 to 3 before this one"
