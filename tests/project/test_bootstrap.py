"""Setting up works with whatever a machine has, and says what would help where it cannot."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import bootstrap
import pip_wheel
import pytest
import suites

PROJECT = Path(__file__).parents[2]


class ScriptedMachine(bootstrap.Machine):
    """A machine that has some modules, and on which commands with certain words fail."""

    def __init__(
        self,
        *has: str,
        fails: Sequence[str] = (),
        commands: Sequence[str] = (),
        wheel: bool = False,
    ) -> None:
        super().__init__(sys.executable)
        self.modules, self.fails, self.commands = has, fails, commands
        self.gives_wheel = wheel
        self.ran: list[str] = []

    def has(self, module: str) -> bool:
        return module in self.modules

    def command(self, name: str) -> str | None:
        return name if name in self.commands else None

    def run(self, command: Sequence[str]) -> bool:
        line = " ".join(command)
        self.ran.append(line)
        if any(word in line for word in self.fails):
            return False
        if "venv" in command or any("virtualenv" in word for word in command):
            python = bootstrap.python_of(Path(command[-1]))
            python.parent.mkdir(parents=True)
            python.touch()
        return True

    def wheel(self, into: Path) -> Path:
        if not self.gives_wheel:
            raise LookupError("no package index is configured")
        return into / "pip.whl"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkout" / ".env"


@pytest.mark.parametrize(
    ("machine", "way"),
    [
        (ScriptedMachine("venv", "ensurepip", "pip", "virtualenv"), "with_venv"),
        (ScriptedMachine("venv", "pip", "virtualenv"), "with_system_pip"),
        (ScriptedMachine("venv", "ensurepip", "pip", fails=["-m venv"]), "with_system_pip"),
        (ScriptedMachine("pip"), "with_system_pip"),
        (ScriptedMachine("venv", "virtualenv"), "with_virtualenv"),
        (ScriptedMachine(commands=["virtualenv"]), "with_virtualenv"),
        (ScriptedMachine("venv", "pip", "virtualenv", fails=["-m pip"]), "with_virtualenv"),
        (ScriptedMachine("venv", wheel=True), "with_wheel"),
        (ScriptedMachine(wheel=True), "with_wheel"),
    ],
    ids=[
        "everything",
        "no ensurepip",
        "ensurepip that fails",
        "pip and neither venv nor ensurepip",
        "virtualenv for want of pip",
        "virtualenv as a command only",
        "a pip that fails",
        "venv and an index",
        "an index only",
    ],
)
def test_the_first_way_that_works_is_taken(
    machine: ScriptedMachine, way: str, folder: Path
) -> None:
    assert bootstrap.make(folder, machine) == way
    assert bootstrap.python_of(folder).exists()


def test_what_an_attempt_left_is_cleared_before_the_next(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "half-made").touch()
    bootstrap.make(folder, ScriptedMachine("pip"))
    assert not (folder / "half-made").exists()


def test_a_link_in_the_place_of_the_environment_is_not_followed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "file").touch()
    (tmp_path / ".env").symlink_to(mine)
    bootstrap.make(tmp_path / ".env", ScriptedMachine("pip"))
    assert (mine / "file").exists()


def test_with_nothing_at_all_the_message_names_the_ways_out(folder: Path) -> None:
    with pytest.raises(bootstrap.SetupError) as caught:
        bootstrap.make(folder, ScriptedMachine())
    for hint in ("python3-venv", "python3-pip", "PIP_INDEX_URL", "make PYTHON=", "configured"):
        assert hint in str(caught.value)
    assert not folder.exists()


def test_an_environment_made_by_hand_is_one_of_its_own(folder: Path) -> None:
    bootstrap.make_by_hand(folder, bootstrap.Machine().python)
    question = "import json, sys; print(json.dumps([sys.prefix, sys.base_prefix, sys.path]))"
    done = subprocess.run(
        [bootstrap.python_of(folder), "-c", question], capture_output=True, text=True, check=True
    )
    prefix, base, path = json.loads(done.stdout)
    assert prefix == str(folder) != base
    packages = [place for place in path if place.endswith("-packages")]
    assert len(packages) == 1, "the system's packages are out of sight"
    assert packages[0].startswith(str(folder))


def test_setting_up_again_does_nothing_until_something_changes(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, machine, installs = tmp_path / "checkout", ScriptedMachine("pip"), list[Path]()
    for name in bootstrap.INPUTS:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).touch()
    monkeypatch.setattr(bootstrap, "install", lambda _, of: installs.append(of))

    bootstrap.set_up(folder, project, machine)
    made = len(machine.ran)
    bootstrap.set_up(folder, project, machine)
    assert (len(installs), len(machine.ran)) == (1, made)

    (project / "constraints.txt").write_text("a==1\n", encoding="utf-8")
    bootstrap.set_up(folder, project, machine)
    assert len(installs) == 2

    (folder / ".installed").write_text("another place\nand more", encoding="utf-8")
    (folder / "left").touch()
    bootstrap.set_up(folder, project, machine)
    assert not (folder / "left").exists(), "an environment that was moved is made anew"


def test_an_install_that_fails_is_done_again(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Path) -> None:
        raise bootstrap.SetupError("no index")

    for name in bootstrap.INPUTS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(bootstrap, "install", fail)
    with pytest.raises(bootstrap.SetupError):
        bootstrap.set_up(folder, tmp_path, ScriptedMachine("pip"))
    assert not (folder / ".installed").exists()


def test_nothing_leads_pip_away_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in bootstrap.UNWANTED:
        monkeypatch.setenv(name, "elsewhere")
    assert not set(bootstrap.UNWANTED) & bootstrap.environment().keys()


def test_what_is_installed_is_what_pyproject_names() -> None:
    names = " ".join(bootstrap.requirements(PROJECT))
    for name in ("pydantic", "pytest", "hatchling"):
        assert name in names


def test_an_old_python_is_told_what_is_needed() -> None:
    """The script must be readable to any Python that somebody may still call python3."""
    source = (PROJECT / "tools" / "bootstrap.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 8))
    code = (
        "import sys; sys.version_info = (3, 9, 1); import bootstrap;"
        "bootstrap.use_newer_python = lambda: None; sys.exit(bootstrap.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT / "tools", capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "3.11" in done.stderr


Index = Callable[..., str]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """Makes an index of given links on disk, the only one that is configured."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("HOME", str(tmp_path))

    def make(*links: str) -> str:
        folder = tmp_path / "simple" / "pip"
        folder.mkdir(parents=True)
        (folder / "index.html").write_text("".join(links), encoding="utf-8")
        address = (tmp_path / "simple").as_uri()
        monkeypatch.setenv("PIP_INDEX_URL", address)
        for version in ("23.1", "24.0", "24.1b1", "25.0", "99.0"):
            (folder / f"pip-{version}-py3-none-any.whl").write_bytes(version.encode())
        return address

    return make


def link(version: str, more: str = "", fragment: str = "") -> str:
    return f'<a href="pip-{version}-py3-none-any.whl{fragment}" {more}>pip</a>'


def test_the_newest_release_for_this_python_is_fetched(index: Index, tmp_path: Path) -> None:
    index(
        link("24.0"),
        link("23.1"),
        link("24.1b1"),
        link("25.0", "data-yanked"),
        link("99.0", 'data-requires-python="&gt;=3.99"'),
        '<a href="pip-24.5.tar.gz">source</a>',
    )
    wheel = pip_wheel.fetch(tmp_path)
    assert wheel.name == "pip-24.0-py3-none-any.whl"
    assert wheel.read_bytes() == b"24.0"


def test_a_wheel_that_is_not_the_listed_one_is_refused(index: Index, tmp_path: Path) -> None:
    index(link("24.0", fragment="#sha256=" + 64 * "0"))
    with pytest.raises(LookupError, match="not the one"):
        pip_wheel.fetch(tmp_path)


def test_a_folder_of_wheels_will_do(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index()
    monkeypatch.delenv("PIP_INDEX_URL")
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "pip-24.0-py3-none-any.whl").write_bytes(b"24.0")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    assert pip_wheel.fetch(tmp_path).read_bytes() == b"24.0"


def test_pips_configuration_is_read_and_a_variable_weighs_more(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = index()
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = file:///one\nextra-index-url =\n  file:///two\n  file:///three\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path))
    pages = pip_wheel.pages(pip_wheel.options())
    assert pages[0] == f"{address}/pip/"
    assert pages[1:3] == ["file:///two/pip/", "file:///three/pip/"]
    monkeypatch.delenv("PIP_INDEX_URL")
    assert pip_wheel.pages(pip_wheel.options())[0] == "file:///one/pip/"


@pytest.mark.parametrize(
    ("links", "said"),
    [(None, "no package index is configured"), ([], "did not answer with a wheel")],
    ids=["none configured", "none listed"],
)
def test_without_a_wheel_the_reason_is_said(
    index: Index,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    links: list[str] | None,
    said: str,
) -> None:
    index(*links or [])
    if links is None:
        monkeypatch.delenv("PIP_INDEX_URL")
    with pytest.raises(LookupError, match=said):
        pip_wheel.fetch(tmp_path)


def test_the_last_line_says_what_was_not_run(tmp_path: Path) -> None:
    assert suites.left_out(tmp_path) == "Not run: nothing. No tests yet: proof, browser, node."
    mark = "@pytest.mark."
    (tmp_path / "test_one.py").write_text(f"{mark}proof\n{mark}browser\n", encoding="utf-8")
    (tmp_path / "test_two.py").write_text(f"{mark}proof\n", encoding="utf-8")
    line = suites.left_out(tmp_path)
    assert "proof (2 files; make proof)" in line
    assert "browser (1 file; needs Chromium" in line
    assert line.endswith("No tests yet: node.")


BLOCK = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Block())
"""


@pytest.mark.proof
@pytest.mark.parametrize(
    "blocked",
    [(), ("ensurepip",), ("ensurepip", "venv"), ("ensurepip", "pip"), ("ensurepip", "pip", "venv")],
    ids=lambda names: "without " + " ".join(names),
)
def test_a_copy_sets_itself_up_for_real(blocked: tuple[str, ...], tmp_path: Path) -> None:
    """Needs a package index that pip knows of; installs everything, as `make setup` does."""
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    copy, shim = tmp_path / "copy", tmp_path / "shim"
    for name in filter(None, files.split("\0")):
        if (PROJECT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((PROJECT / name).read_bytes())
    shim.mkdir()
    (shim / "sitecustomize.py").write_text(BLOCK.format(blocked=blocked), encoding="utf-8")
    done = subprocess.run(
        ["make", "setup", f"PYTHON={sys.executable}"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(shim)},
        capture_output=True,
        text=True,
    )
    if "index" in done.stderr and done.returncode and "pip" in blocked:
        pytest.skip("no package index is configured here that pip's own wheel could come from")
    assert done.returncode == 0, done.stderr
    told = subprocess.run(
        [copy / ".venv/bin/constitution", "--help"], capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
