from __future__ import annotations

from pathlib import Path

import pytest
from audit_samples import KEYS

from guardrails.audit.anchor import Anchor, AnchorWriter, Tip, read_anchor

KEY = KEYS.derive("anchor")
MAC = bytes(range(32))
OTHER_MAC = bytes(32)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "outside" / "anchor"


def test_each_writer_keeps_one_line_whatever_the_others_do(file: Path) -> None:
    one, two = AnchorWriter(file, KEY), AnchorWriter(file, KEY)
    for number in range(12):
        one.write("one", number, OTHER_MAC)
        two.write("two", number * 10**15, MAC)
    assert file.stat().st_size == 2 * 256
    tips = {"one": Tip(11, OTHER_MAC), "two": Tip(11 * 10**15, MAC)}
    assert read_anchor(file, KEY) == Anchor(tips=tips)


def test_a_line_fits_its_width_to_the_largest_number(file: Path) -> None:
    AnchorWriter(file, KEY).write("f" * 32, 2**63 - 1, MAC)
    assert file.stat().st_size == 256
    assert read_anchor(file, KEY).tips == {"f" * 32: Tip(2**63 - 1, MAC)}


def test_an_anchor_that_was_moved_away_is_begun_anew(file: Path) -> None:
    writer = AnchorWriter(file, KEY)
    writer.write("one", 0, MAC)
    file.rename(file.with_name("old"))
    writer.write("one", 1, MAC)
    assert read_anchor(file, KEY).tips == {"one": Tip(1, MAC)}
    assert read_anchor(file.with_name("old"), KEY).tips == {"one": Tip(0, MAC)}


def test_what_another_wrote_in_our_place_is_left_alone(file: Path) -> None:
    mine, other = AnchorWriter(file, KEY), AnchorWriter(file, KEY)
    mine.write("one", 0, MAC)
    file.unlink()
    other.write("two", 5, MAC)
    mine.write("one", 1, MAC)
    assert read_anchor(file, KEY).tips == {"two": Tip(5, MAC), "one": Tip(1, MAC)}


def test_the_later_of_two_lines_of_a_writer_holds(file: Path) -> None:
    AnchorWriter(file, KEY).write("one", 5, MAC)
    AnchorWriter(file, KEY).write("one", 3, OTHER_MAC)
    assert read_anchor(file, KEY).tips == {"one": Tip(5, MAC)}


@pytest.mark.parametrize(
    "content",
    [b"\n", b"x", b"\x00" * 1000, b" " * 5000, b"1 one 5 00 now " + b"0" * 64, "✓ é".encode()],
    ids=["empty-line", "short", "zeros", "blanks", "forged", "not-ascii"],
)
def test_what_proves_nothing_is_named_by_its_line(file: Path, content: bytes) -> None:
    AnchorWriter(file, KEY).write("one", 5, MAC)
    with file.open("ab") as target:
        target.write(content)
    anchor = read_anchor(file, KEY)
    assert anchor.tips == {"one": Tip(5, MAC)}
    assert anchor.damaged[0] == 2


def test_promise_10_damaged_lines_are_named_up_to_a_bound(tmp_path: Path) -> None:
    (tmp_path / "anchor").write_bytes(b"junk\n" * 5_000)
    assert len(read_anchor(tmp_path / "anchor", KEY).damaged) == 1_000


def test_another_key_proves_nothing(file: Path) -> None:
    AnchorWriter(file, KEY).write("one", 5, MAC)
    assert read_anchor(file, bytes(32)) == Anchor(tips={}, damaged=(1,))
