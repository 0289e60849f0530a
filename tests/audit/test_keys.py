from __future__ import annotations

import hmac
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.audit.keys import Keys, load_keys, make_keys
from guardrails.errors import AuditError


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "state" / "key"
    first = make_keys(file)
    assert make_keys(file).id == load_keys(file).id == first.id
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert [entry.name for entry in file.parent.iterdir()] == ["key"]


def test_processes_that_race_to_make_the_key_agree(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from guardrails.audit.keys import make_keys;"
        "sys.stdin.read(); print(make_keys(Path(sys.argv[1])).id)"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "key")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.close()
        racer.stdin = None
    ids = [racer.communicate()[0].strip() for racer in racers]
    assert len(set(ids)) == 1
    assert len(ids[0]) == 16


def test_without_a_file_each_process_has_a_key_of_its_own() -> None:
    assert make_keys(None).id != make_keys(None).id


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620, 0o666, 0o777], ids=oct)
def test_a_key_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key"
    make_keys(file)
    file.chmod(mode)
    with pytest.raises(AuditError, match=r"open to other users.*chmod 600"):
        make_keys(file)


@pytest.mark.parametrize(
    "content", [b"", b"00" * 31, b"not a key", b"\xff" * 64, b"0" * 65], ids=len
)
def test_what_is_no_key_is_refused_and_not_repeated(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(AuditError, match="at least 64 hexadecimal digits") as caught:
        make_keys(file)
    assert not content or content.decode("latin-1") not in str(caught.value)
    assert file.read_bytes() == content


def test_a_missing_key_is_made_for_writing_only(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="cannot be read: No such file"):
        load_keys(tmp_path / "key")
    assert not list(tmp_path.iterdir())


def test_a_key_that_cannot_be_made_names_the_place_and_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AuditError, match=r"file/key'.*GUARDRAILS_KEY_FILE"):
        make_keys(tmp_path / "file" / "key")


def test_keys_are_derived_as_rfc_5869_says() -> None:
    """Extract with our salt, then the first block of expand."""
    root = bytes(range(32))
    extracted = hmac.digest(b"constitutional-guardrails key 1", root, "sha256")
    assert Keys(root).derive("mac") == hmac.digest(extracted, b"mac\x01", "sha256")


def test_each_purpose_has_its_key() -> None:
    keys = Keys(bytes(32))
    assert len({keys.derive(purpose) for purpose in ("mac", "text", "cache", "anchor")}) == 4


@given(st.lists(st.text(st.characters())), st.lists(st.text(st.characters())))
def test_digests_are_equal_only_for_equal_lists(one: list[str], two: list[str]) -> None:
    keys = Keys(bytes(32))
    assert (keys.digest(one) == keys.digest(two)) is (one == two)


def test_a_digest_hangs_on_the_key_and_on_what_it_is_of() -> None:
    keys = Keys(bytes(32))
    assert keys.digest(["s1"]) != keys.digest(["s1"], of="session")
    assert keys.digest(["session", "s1"]) != keys.digest(["s1"], of="session")
    assert keys.digest(["s1"]) != Keys(bytes(31) + b"\x01").digest(["s1"])
    assert keys.digest(["\ud800"]) != keys.digest(["\ufffd"])


def test_promise_9_keys_do_not_show_in_a_repr() -> None:
    keys = Keys(bytes(32))
    assert repr(keys) == f"<Keys {keys.id}>"
