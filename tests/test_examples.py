"""Every example runs as its own text says, with no key and no network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from warm_python import EACH_WAY, SMALL, VENDORS, run_python

EXAMPLES = Path(__file__).parents[1] / "examples"
PROGRAMS = {
    "assistant.py": [
        "Once upon a time, there was a king who had three daughters.",
        "**** **** **** 1111",
    ],
    "structured_reply.py": ["leaflet, section 3", "[EMAIL_ADDRESS]"],
    "streaming.py": ["The card on file is **** **** **** 1111, valid until next year."],
    "guarded_tools.py": [
        "search: allow",
        "run_shell: block",
        "send_mail: argument 'to' does not fit 'match'",
        "copied from a result of read_web",
    ],
    "bulk_check.py": ["one: allow", "two: revise", "three: "],
    "wrapped_client.py": ["a pharmacist", "(send_mail may be called", "[tool_use]", "[refusal]"],
}
PROJECT = EXAMPLES.parent
PLUGIN = EXAMPLES / "custom_critic"
COMMAND = ("-c", "import sys; from guardrails.cli import main; sys.exit(main())")


def run(*command: str, cwd: Path = PROJECT, path: Path | None = None) -> str:
    """What a program prints; its records are kept in memory."""
    environment = {**os.environ, "GUARDRAILS_AUDIT": "memory", "PYTHONUTF8": "1"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def installed(project: Path, folder: Path) -> Path:
    """A folder that holds what the project's wheel would install, built from what is here."""
    run("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=project)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def test_every_example_is_run_here() -> None:
    assert {file.name for file in EXAMPLES.glob("*.py")} == set(PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS)
@EACH_WAY
def test_an_example_runs(program: str, new: bool) -> None:
    environment = {**os.environ, "GUARDRAILS_AUDIT": "memory", "NO_COLOR": "1"}
    done = run_python(
        EXAMPLES / program,
        folder=PROJECT,
        environment=environment,
        libraries=(*SMALL, *VENDORS),
        new=new,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for expected in PROGRAMS[program]:
        assert expected in done.stdout.decode()


def test_a_critic_of_another_package_is_found_by_its_entry_point(tmp_path: Path) -> None:
    plugin = installed(PLUGIN, tmp_path)
    result = json.loads(
        run(*COMMAND, "test", str(PLUGIN / "house-style.yaml"), "--json", path=plugin)
    )
    assert result["ok"]


def test_the_wheel_holds_all_that_the_demo_needs(tmp_path: Path) -> None:
    """The files of the wheel stand before those of the checkout on the path."""
    wheel = installed(PROJECT, tmp_path)
    assert not (wheel / "examples").exists()
    demo = json.loads(run(*COMMAND, "demo", "--json", cwd=tmp_path, path=wheel))
    assert demo["audit"]["ok"]
