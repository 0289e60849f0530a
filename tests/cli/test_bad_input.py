"""Bad input gets an error that names the place and the remedy, its status, and nothing is lost."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from warm_python import run_python

from guardrails.audit.read import tail
from guardrails.audit.verify import verify
from guardrails.cli import main

GOOD = """
schema: 1
id: house
version: 1.0.0
budget: {max_chars: 100}
replies: {blocked: "No, not here."}
principles:
  - id: house.word
    text: Does not say the word.
    critics: [pattern: {breach: [forbidden]}]
    examples: {breach: [It is forbidden.], fine: [It is fine.]}
"""
SECRET = "ukulele-7391"
PROGRAM = (sys.executable, "-c", "import sys; from guardrails.cli import main; sys.exit(main())")


@dataclass(frozen=True, slots=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        assert not self.err
        return json.loads(self.out)


Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("GUARDRAILS_AUDIT", str(tmp_path / "audit.db"))
    monkeypatch.setenv("GUARDRAILS_CONSTITUTIONS", str(tmp_path))
    (tmp_path / "house.yaml").write_text(GOOD)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The command in this process."""

    def run(*arguments: str) -> Done:
        status = main(arguments)
        out, err = capsys.readouterr()
        return Done(status, out, err)

    return run


def command(
    *arguments: str, said: bytes = b"", before: str = "", **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own; `before` is code that runs ahead of it there."""
    code = f"import sys\n{before}\nfrom guardrails.cli import main\nsys.exit(main(sys.argv[1:]))"
    environment = {**os.environ, **variables}
    return run_python(code, *arguments, folder=Path.cwd(), environment=environment, said=said)


# -- constitutions ---------------------------------------------------------------------------------

HEAD = "id: bad\nversion: 1.0.0\n"
RULE = HEAD + "principles:\n  - id: bad.rule\n    text: A rule.\n"
BAD_FILES = {
    "an alias": (
        HEAD + "title: &a x\nowner: *a\nprinciples: []\n",
        "bad.yaml:4:8: an alias (*); write the value out",
    ),
    "an anchor": (
        HEAD + "title: &a x\nprinciples: []\n",
        "bad.yaml:3:8: title: an anchor (&); 'extends' and 'defaults' are the ways to reuse",
    ),
    "a tag": (
        HEAD + "title: !!python/object/apply:os.system [id]\nprinciples: []\n",
        "bad.yaml:3:8: title: a tag (!); a constitution holds plain data",
    ),
    "a merge key": (HEAD + "<<: {a: 1}\nprinciples: []\n", "bad.yaml:3:1: a merge key (<<);"),
    "a key twice": (
        HEAD + "title: a\ntitle: b\nprinciples: []\n",
        "bad.yaml:4:1: title: the key stands here twice, first at 3:1; keep one",
    ),
    "a misspelt key": (
        RULE + "    sevrity: high\n",
        "bad.yaml:6:5: principles[0].sevrity: unknown key; did you mean 'severity'?",
    ),
    "a misspelt critic": (
        RULE + "    critics: [patern: {breach: [x]}]\n",
        "bad.yaml:6:15: principles[0].critics[0]: unknown critic; did you mean 'pattern'?",
    ),
    "a misspelt entity": (
        RULE + "pii: {output: {EMAIL: redact}}\n",
        "bad.yaml:6:16: pii.output.EMAIL: ",
    ),
    "a pattern of exponential time": (
        RULE + "    critics: [pattern: {breach: ['(a+)+b{1001}']}]\n",
        "bad.yaml:6:34: principles[0].critics[0].pattern.breach[0]: ",
    ),
    "a look-ahead": (
        RULE + "    critics: [pattern: {breach: ['a(?=b)']}]\n",
        "bad.yaml:6:34: principles[0].critics[0].pattern.breach[0]: ",
    ),
    "a back-reference": (
        RULE + "    critics: [pattern: {breach: ['(a)\\1']}]\n",
        "bad.yaml:6:34: principles[0].critics[0].pattern.breach[0]: ",
    ),
    "a pattern that is not closed": (
        RULE + "    critics: [pattern: {breach: ['(a']}]\n",
        "bad.yaml:6:34: principles[0].critics[0].pattern.breach[0]: ",
    ),
    "no parent of that name": (
        RULE.replace("principles", "extends: [basse]\nprinciples"),
        "bad.yaml:3:11: extends[0]: ",
    ),
    "a parent of another version": (
        RULE.replace("principles", "extends: [base@^9]\nprinciples"),
        "bad.yaml:3:11: extends[0]: ",
    ),
    "itself as its parent": (
        RULE.replace("principles", "extends: [bad]\nprinciples"),
        "bad.yaml:3:11: extends[0]: ",
    ),
    "an empty file": ("", "bad.yaml:1:1: the file is empty"),
    "a list": ("- a\n", "bad.yaml:1:1: expected a mapping"),
    "no YAML": ("id: [\n", "bad.yaml:2:1: "),
    "a NUL": ("id: a\0b\n", "bad.yaml:1:6: the character U+0000; take it out"),
}


@pytest.mark.parametrize(("text", "told"), BAD_FILES.values(), ids=BAD_FILES)
@pytest.mark.parametrize(
    "words", [["lint"], ["test"], ["show"], ["check", "hi", "--offline", "-c"]]
)
def test_a_broken_constitution_is_told_with_its_place_and_the_remedy(
    text: str, told: str, words: list[str], folder: Path, run: Callable[..., Done]
) -> None:
    (folder / "bad.yaml").write_text(text)
    done = run(*words, "bad.yaml")
    assert done.status == 2
    assert told in (done.out if words[0] in ("lint", "test") else done.err)
    assert "Traceback" not in done.out + done.err
    assert not (folder / "audit.db").exists()


@pytest.mark.parametrize(("text", "told"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_broken_constitution_is_a_document_with_a_place(
    text: str, told: str, folder: Path, run: Callable[..., Done]
) -> None:
    (folder / "bad.yaml").write_text(text)
    document = run("check", "hi", "-c", "bad.yaml", "--offline", "--json").document
    assert document["status"] == 2
    assert document["error"]["kind"] == "constitution"
    told_at = [f"{p['file']}:{p['line']}:{p['column']}: " for p in document["error"]["problems"]]
    assert any(told.startswith(place) for place in told_at)


def family(folder: Path, **extends: str) -> None:
    for name, parents in extends.items():
        (folder / f"{name}.yaml").write_text(
            f"id: {name}\nversion: 1.0.0\nextends: [{parents}]\n"
            f"principles: [{{id: {name}.rule, text: A rule.}}]\n"
        )


def test_a_circle_of_parents_is_told(folder: Path, run: Callable[..., Done]) -> None:
    family(folder, one="two", two="three", three="one")
    done = run("check", "hi", "-c", "one.yaml", "--offline")
    assert done.status == 2
    assert "extends[0]" in done.err
    assert all(name in done.err for name in ("one", "two", "three"))


def test_two_parents_that_disagree_are_named(folder: Path, run: Callable[..., Done]) -> None:
    for name, text in {"left": "Says it.", "right": "Never says it."}.items():
        (folder / f"{name}.yaml").write_text(
            f"id: {name}\nversion: 1.0.0\nprinciples: [{{id: same.rule, text: {text}}}]\n"
        )
    family(folder, child="left, right")
    done = run("check", "hi", "-c", "child.yaml", "--offline")
    assert done.status == 2
    assert "child.yaml:3:" in done.err
    assert "same.rule" in done.err
    assert "left" in done.err
    assert "right" in done.err


def test_all_problems_of_a_file_are_told_at_once(folder: Path, run: Callable[..., Done]) -> None:
    (folder / "bad.yaml").write_text(RULE + "    sevrity: high\n    actoin: block\n")
    done = run("show", "bad.yaml")
    assert "bad.yaml:6:5" in done.err
    assert "bad.yaml:7:5" in done.err


@contextmanager
def distribution(folder: Path, name: str, source: str) -> Iterator[Mapping[str, str]]:
    """A package with a critic, found as an installed one is."""
    (folder / f"{name}.py").write_text(source)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[guardrails.critics]\n{name} = {name}:Critic\n")
    path = os.environ.get("PYTHONPATH", "")
    yield {"PYTHONPATH": f"{folder}{os.pathsep}{path}" if path else str(folder)}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        pytest.param("import not_there_at_all", "not_there_at_all", id="misses a module"),
        pytest.param("raise RuntimeError('broken')", "RuntimeError", id="raises"),
        pytest.param("Critic = )", "SyntaxError", id="is no Python"),
        pytest.param("Other = 1", "AttributeError", id="has no such class"),
        pytest.param("class Critic: name = 'other'", "is not a critic", id="is no critic"),
    ],
)
def test_a_critic_that_does_not_import_is_named_with_the_remedy(
    source: str, told: str, folder: Path
) -> None:
    (folder / "uses.yaml").write_text(RULE.replace("bad", "uses") + "    critics: [broken_one]\n")
    with distribution(folder, "broken_one", source) as variables:
        done = command("check", "hi", "-c", "uses.yaml", "--offline", **variables)
        assert done.returncode == 2, done.stderr
        err = done.stderr.decode()
        assert "broken_one" in err
        assert told in err
        assert "Traceback" not in err
        as_json = command("check", "hi", "-c", "uses.yaml", "--offline", "--json", **variables)
        assert as_json.returncode == 2
        assert told in json.loads(as_json.stdout)["error"]["message"]


def test_who_does_not_name_a_broken_critic_is_not_concerned(folder: Path) -> None:
    with distribution(folder, "broken_one", "raise RuntimeError") as variables:
        done = command("check", "hi", "-c", "house.yaml", "--offline", **variables)
        assert (done.returncode, done.stderr) == (0, b"")


# -- texts -----------------------------------------------------------------------------------------

CHECK = ("check", "-", "-c", "house.yaml", "--offline")


@pytest.mark.parametrize("as_json", [False, True])
def test_a_text_over_the_limit_is_refused_as_a_limit(
    as_json: bool, folder: Path, run: Callable[..., Done]
) -> None:
    arguments = ["check", "x" * 101, "-c", "house.yaml", "--offline"]
    done = run(*arguments, *["--json"][:as_json])
    assert done.status == 3
    assert "budget.max_chars" in done.out
    (record,) = tail(folder / "audit.db", 10)
    assert record.opened is not None
    assert record.opened.cause == "limit"


@pytest.mark.parametrize(
    ("said", "status", "told"),
    [
        pytest.param(b"", 0, b"ALLOW", id="nothing"),
        pytest.param(b"\xff\xfe" + SECRET.encode(), 2, b"byte 0", id="not UTF-8"),
        pytest.param(b"hi \xc3", 2, b"byte 3", id="cut off in a character"),
        pytest.param(SECRET.encode("utf-16"), 2, b"not UTF-8", id="UTF-16"),
        pytest.param(bytes(range(256)), 2, b"not UTF-8", id="binary"),
        pytest.param(b"\0\0\0", 0, b"ALLOW", id="NUL"),
        pytest.param(b"x" * 1_000_000, 3, b"budget.max_chars", id="a huge line"),
        pytest.param(b"\xf0\x9f\x98\x80" * 101, 3, b"budget.max_chars", id="101 characters"),
        pytest.param(b"\xf0\x9f\x98\x80" * 100, 0, b"ALLOW", id="100 characters"),
    ],
)
def test_whatever_comes_in_has_its_status(said: bytes, status: int, told: bytes) -> None:
    done = command(*CHECK, said=said)
    assert done.returncode == status, done
    assert told in done.stdout + done.stderr
    assert SECRET.encode() not in done.stderr
    assert b"Traceback" not in done.stderr


def test_an_argument_that_is_not_utf8_is_told() -> None:
    done = subprocess.run(
        [*PROGRAM, "check", b"caf\xe9", "-c", "house.yaml", "--offline"],
        capture_output=True,
        timeout=50,
    )
    assert done.returncode == 2
    assert b"the text is not UTF-8 (at character 3)" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["--file", "no.txt"], "'no.txt' cannot be read: No such file", id="no file"),
        pytest.param(["--file", "."], "'.' cannot be read", id="a folder"),
        pytest.param(["--jsonl", "no.jsonl"], "'no.jsonl' cannot be read", id="no rows"),
        pytest.param(["hi", "--stage", "outptu"], "--stage", id="unknown stage"),
        pytest.param(["hi", "--jsonl", "-"], "give one of TEXT", id="two inputs"),
        pytest.param(["hi", "--attribute", "=x"], "KEY=VALUE", id="no key"),
    ],
)
def test_what_cannot_be_used_is_named(
    arguments: list[str], told: str, run: Callable[..., Done]
) -> None:
    done = run("check", *arguments, "-c", "house.yaml", "--offline")
    assert done.status == 2
    assert told in done.err
    document = run("check", *arguments, "-c", "house.yaml", "--offline", "--json").document
    assert document["status"] == 2
    assert document["error"]["kind"] in ("usage", "input")
    assert told in document["error"]["message"]


def test_broken_lines_are_named_by_number_and_the_rest_is_done(folder: Path) -> None:
    lines = [
        b'{"text": "one"}',
        b"{" + SECRET.encode(),
        b'{"text": "\xff"}',
        b"",
        b'{"text": "two", "text": "three"}',
        b'{"reply": "it is forbidden"}',
        b'{"text": "' + b"x" * 200 + b'"}',
        b'{"text": "' + b"x" * 200_000 + b'"}',
        b"[" * 5_000,
        b'{"text": "last, without a line break"}',
    ]
    rows = folder / "rows.jsonl"
    rows.write_bytes(b"\n".join(lines))
    bulk = ("check", "--jsonl", "rows.jsonl", "-c", "house.yaml", "--offline")
    done = command(*bulk, "--json")
    assert done.returncode == 2
    told = {row["line"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert {line: row["status"] for line, row in told.items()} == {
        1: 0, 2: 2, 3: 2, 5: 2, 6: 1, 7: 3, 8: 2, 9: 2, 10: 0,
    }  # fmt: skip
    assert "not UTF-8: byte 10" in told[3]["error"]
    assert len(tail(folder / "audit.db", 100)) == 4
    shown = command(*bulk)
    assert shown.returncode == 2
    for line in (2, 3, 5, 8, 9):
        assert f"line {line} " in shown.stdout.decode()
    assert SECRET.encode() not in done.stdout + done.stderr + shown.stdout + shown.stderr


@pytest.mark.parametrize("rows", [b"", b"\n\n\n", b"\xef\xbb\xbf"])
def test_no_rows_are_fine(rows: bytes) -> None:
    done = command("check", "--jsonl", "-", "-c", "house.yaml", "--offline", said=rows)
    assert done.returncode == 0, done


def test_a_closed_pipe_ends_the_rows_quietly(folder: Path) -> None:
    rows = folder / "rows.jsonl"
    rows.write_text('{"reply": "it is forbidden"}\n' * 2_000)
    process = subprocess.Popen(
        [*PROGRAM, "check", "--jsonl", rows, "-c", "house.yaml", "--offline", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=50) == 141
    assert not err
    assert verify(folder / "audit.db", key=folder / "key").ok


# -- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("audit = [", "guardrails.toml: cannot be read as TOML", id="no TOML"),
        pytest.param("adit = 'x'", "guardrails.toml:1:1: adit: unknown key; did you mean 'audit'?",
                     id="misspelt"),
        pytest.param("audit_buffer = -1", "guardrails.toml:1:1: audit_buffer: ", id="out of range"),
        pytest.param("audit_keeps = 'all'", "guardrails.toml:1:1: audit_keeps: ", id="no choice"),
        pytest.param(f"models = '{SECRET}'", "guardrails.toml:1:1: models: ", id="of another type"),
        pytest.param("\xff", "guardrails.toml: cannot be read as TOML", id="not UTF-8"),
    ],
)  # fmt: skip
def test_a_bad_settings_file_is_named_with_its_key(
    text: str, told: str, folder: Path, run: Callable[..., Done]
) -> None:
    (folder / "guardrails.toml").write_text(text, encoding="latin-1")
    done = run("check", "hi", "-c", "house.yaml", "--offline")
    assert done.status == 2
    assert told in done.err
    assert SECRET not in done.err
    document = run("check", "hi", "-c", "house.yaml", "--offline", "--json").document
    assert document["error"]["kind"] == "settings"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("GUARDRAILS_SETTINGS", "no.toml", "no.toml: no such settings file"),
        ("GUARDRAILS_AUDIT_BUFFER", SECRET, "GUARDRAILS_AUDIT_BUFFER: expected a whole number"),
        ("GUARDRAILS_ON_AUDIT_FAILURE", "allow", "GUARDRAILS_ON_AUDIT_FAILURE: "),
        ("GUARDRAILS_AUDITT", "x", "GUARDRAILS_AUDITT: unknown variable; did you mean"),
    ],
)
def test_a_bad_variable_is_named(
    name: str,
    value: str,
    told: str,
    run: Callable[..., Done],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(name, value)
    done = run("check", "hi", "-c", "house.yaml", "--offline")
    assert done.status == 2
    assert told in done.err
    assert SECRET not in done.err


def test_a_missing_model_is_told_with_two_ways_out(folder: Path, run: Callable[..., Done]) -> None:
    done = run("check", "hi", "-c", "base")
    assert done.status == 2
    assert "[models]" in done.err
    assert "--offline" in done.err


# -- the record ------------------------------------------------------------------------------------


def broken_folder(folder: Path) -> str:
    (folder / "a file").write_text("")
    return str(folder / "a file" / "audit.db")


def other_database(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "other.db")) as connection:
        connection.execute("CREATE TABLE mine (a)")
    return str(folder / "other.db")


def no_database(folder: Path) -> str:
    (folder / "notes.txt").write_text("a" * 5_000)
    return str(folder / "notes.txt")


BAD_TRAILS: dict[str, Callable[[Path], str]] = {
    "a folder": str,
    "a file in place of a folder": broken_folder,
    "another database": other_database,
    "no database": no_database,
    "a device that is full": lambda folder: "/dev/full",
}


@pytest.mark.parametrize("make", BAD_TRAILS.values(), ids=BAD_TRAILS)
@pytest.mark.parametrize("rows", [False, True], ids=["text", "rows"])
def test_no_answer_is_given_without_a_record(
    make: Callable[[Path], str],
    rows: bool,
    folder: Path,
    run: Callable[..., Done],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GUARDRAILS_AUDIT", make(folder))
    monkeypatch.setenv("GUARDRAILS_KEY_FILE", str(folder / "key"))
    (folder / "rows.jsonl").write_text('{"text": "hello"}\n' * 3)
    words = ("--jsonl", "rows.jsonl") if rows else ("hello",)
    done = run("check", *words, "-c", "house.yaml", "--offline")
    assert done.status in (2, 3)
    assert not done.out
    assert done.err.startswith("error: ")
    document = run("check", *words, "-c", "house.yaml", "--offline", "--json").document
    assert (document["error"]["kind"], document["status"]) == ("audit", done.status)


def test_a_locked_record_is_an_outage_and_the_next_call_goes_on(folder: Path) -> None:
    assert command(*CHECK, said=b"one").returncode == 0
    with closing(sqlite3.connect(folder / "audit.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        start = time.monotonic()
        done = command(*CHECK, said=b"two")
        assert time.monotonic() - start < 30
        assert done.returncode == 3
        assert b"locked" in done.stderr
    assert command(*CHECK, said=b"three").returncode == 0
    report = verify(folder / "audit.db", key=folder / "key")
    assert report.ok
    assert report.records == 2


def test_a_full_disk_ends_the_rows_and_keeps_what_was_acknowledged(folder: Path) -> None:
    """Its files may grow to some kilobytes only."""
    limit = textwrap.dedent(
        """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        """
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] in (-1, resource.RLIM_INFINITY)
    rows = b'{"text": "hello"}\n' * 2_000
    done = command(
        "check", "--jsonl", "-", "-c", "house.yaml", "--offline", "--json", said=rows, before=limit
    )
    assert done.returncode == 3, done.stderr
    lines = done.stdout.splitlines()
    acknowledged = [json.loads(line)["record_id"] for line in lines if b"record_id" in line]
    assert acknowledged
    assert b"Traceback" not in done.stderr
    stored = {record.record_id for record in tail(folder / "audit.db", 10_000)}
    assert set(acknowledged) <= stored
    assert verify(folder / "audit.db", key=folder / "key").ok
