"""`constitution check` judges hostile rows, files and streams, and no terminal obeys them."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_house import CARD, HOUSE, WORD
from hostile_texts import TEXTS

from guardrails.audit.verify import verify
from guardrails.cli import main

OBEYED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal would obey: of the control characters, only line breaks may be printed."""

UNIVERSAL = ("base", "house.yaml")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDRAILS_AUDIT", str(tmp_path / "audit.db"))
    (tmp_path / "house.yaml").write_text(HOUSE.replace("MAX_CHARS", "100000"))
    yield tmp_path
    assert verify(tmp_path / "audit.db", key=tmp_path / "key").ok


def rows(folder: Path) -> Path:
    file = folder / "rows.jsonl"
    lines = [json.dumps({"id": name, "reply": f"{text}\n{CARD}"}) for name, text in TEXTS.items()]
    file.write_text("\n".join(lines))
    return file


@pytest.mark.parametrize("constitution", UNIVERSAL)
def test_every_row_is_judged(
    constitution: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["check", "-c", constitution, "--offline", "--jsonl", str(rows(folder)), "--json"]
    assert main(command) == 1
    out, err = capsys.readouterr()
    assert not err
    assert out.isascii()
    told = [json.loads(line) for line in out.splitlines()]
    assert [row["id"] for row in told] == list(TEXTS)
    assert {row["status"] for row in told} == {1}
    assert not [row["id"] for row in told if CARD in row["text"]]


def test_a_summary_of_rows_sends_nothing_to_the_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "-c", "base", "--offline", "--jsonl", str(rows(folder))]) == 1
    assert not OBEYED.search("".join(capsys.readouterr()))


@pytest.mark.parametrize("name", [name for name in TEXTS if "template" in name or "-U+" in name])
def test_one_text_sends_nothing_to_the_terminal(
    name: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = f"{TEXTS[name]}\n{WORD}".encode("utf-8", "surrogatepass")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(said)))
    status = main(["check", "-", "-c", "house.yaml", "--offline"])
    out, err = capsys.readouterr()
    assert not OBEYED.search(out + err)
    if "surrogate" in name:  # no UTF-8
        assert status == 2
        assert "is not UTF-8" in err
        main(["check", "hello", "-c", "house.yaml", "--offline"])
    else:
        assert status == 1
        assert not err
