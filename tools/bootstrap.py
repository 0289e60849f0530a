"""Make the project's virtual environment with what this machine has, and install the project.

    python3 tools/bootstrap.py

Run by every target of the Makefile. It needs Python 3.11 or later, its standard library and a
package index that pip knows of; neither `ensurepip` nor `venv` nor pip itself need be there.
The ways to an environment that holds pip, the first that works:

1. `python3 -m venv`
2. an environment without pip, into which the system's pip installs one
3. `virtualenv`
4. an environment without pip, and pip's wheel from the index that pip's configuration names

An environment without pip comes from `venv --without-pip` or, where that module is missing too
(Debian splits it off), is made by hand: PEP 405 asks for a link and three lines of text. A folder
for `pip install --target` would do without, but leaves the system's packages in sight.

The project's dependencies, its `dev` group and what builds it are then installed as
`constraints.txt` pins them, and the project itself in place. `.venv/.installed` tells for which
files that was done, so that later calls return at once.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / ".venv"
NEEDED = (3, 11)
INPUTS = ("pyproject.toml", "constraints.txt", "tools/bootstrap.py", "tools/pip_wheel.py")
# What would lead pip or Python away from the environment that is being made.
UNWANTED = (
    "PIP_PREFIX",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
    "PYTHONHOME",
    "PYTHONPATH",
    "VIRTUAL_ENV",
)
WAYS_OUT = """cannot make a virtual environment.
This Python has no usable `venv` with `ensurepip`, there is neither pip nor virtualenv,
and {index}. Any one of these helps:
  - install the system's packages for it (on Debian and its kin: apt-get install python3-venv)
  - install pip for {python} (on Debian and its kin: apt-get install python3-pip)
  - name your package index in PIP_INDEX_URL, or as index-url in pip's configuration file
  - name another Python, 3.11 or later: make PYTHON=/path/to/python3"""


class SetupError(Exception):
    """Setting up cannot go on; the message says what would help."""


class Machine:
    """What this machine can do. Tests put a scripted one in its place."""

    def __init__(self, python: str | None = None) -> None:
        self.python = python or getattr(sys, "_base_executable", None) or sys.executable

    def has(self, module: str) -> bool:
        """Whether this Python could import `module`; an empty folder left behind is none."""
        try:
            spec = importlib.util.find_spec(module)
        except ImportError:
            return False
        return spec is not None and spec.origin is not None

    def command(self, name: str) -> str | None:
        return shutil.which(name)

    def run(self, command: Sequence[str]) -> bool:
        """Run quietly; whether it ended well."""
        done = subprocess.run(
            command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        return done.returncode == 0

    def wheel(self, into: Path) -> Path:
        """pip's wheel, fetched into a folder. Raises LookupError with what stood in the way."""
        from pip_wheel import fetch

        return fetch(into)


def environment() -> dict[str, str]:
    """The variables for what is run from here."""
    kept = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def python_of(folder: Path) -> Path:
    return folder / "bin" / "python"


def works(folder: Path, machine: Machine) -> bool:
    """Whether the folder is an environment of its own that holds pip."""
    question = "import pip, sys; sys.exit(sys.prefix == sys.base_prefix)"
    return python_of(folder).exists() and machine.run([str(python_of(folder)), "-c", question])


def clear(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def make_by_hand(folder: Path, python: str) -> None:
    """An environment without pip and without the `venv` module (PEP 405)."""
    version = "{}.{}".format(*sys.version_info[:2])
    (folder / "bin").mkdir(parents=True)
    (folder / "lib" / f"python{version}" / "site-packages").mkdir(parents=True)
    for name in ("python", "python3", f"python{version}"):
        (folder / "bin" / name).symlink_to(python)
    (folder / "pyvenv.cfg").write_text(
        f"home = {Path(python).parent}\ninclude-system-site-packages = false\n"
        f"version = {'.'.join(str(part) for part in sys.version_info[:3])}\n",
        encoding="utf-8",
    )


def make_bare(folder: Path, machine: Machine) -> None:
    clear(folder)
    command = [machine.python, "-m", "venv", "--without-pip", str(folder)]
    if not (machine.has("venv") and machine.run(command)):
        clear(folder)
        make_by_hand(folder, machine.python)


def with_venv(folder: Path, machine: Machine) -> bool:
    if not (machine.has("venv") and machine.has("ensurepip")):
        return False
    clear(folder)
    return machine.run([machine.python, "-m", "venv", str(folder)])


def with_system_pip(folder: Path, machine: Machine) -> bool:
    if not machine.has("pip"):
        return False
    make_bare(folder, machine)
    into = ["--python", str(python_of(folder))]
    return machine.run([machine.python, "-m", "pip", *into, "install", "pip"])


def with_virtualenv(folder: Path, machine: Machine) -> bool:
    command = machine.command("virtualenv")
    if machine.has("virtualenv"):
        starts = [machine.python, "-m", "virtualenv"]
    elif command:
        starts = [command]
    else:
        return False
    clear(folder)
    return machine.run([*starts, "--python", machine.python, str(folder)])


def with_wheel(folder: Path, machine: Machine) -> bool:
    """Raises LookupError if no wheel of pip is to be had."""
    make_bare(folder, machine)
    wheel = machine.wheel(folder)
    pip = [str(python_of(folder)), str(wheel / "pip")]  # a wheel is an importable archive
    return machine.run([*pip, "install", "--no-index", str(wheel)])


def make(folder: Path, machine: Machine) -> str:
    """Make an environment that holds pip; returns the name of the way that worked."""
    ways: list[Callable[[Path, Machine], bool]] = [with_venv, with_system_pip, with_virtualenv]
    for way in ways:
        if way(folder, machine) and works(folder, machine):
            return way.__name__
    try:
        made = with_wheel(folder, machine)
        index = "pip's own wheel, which the package index gave, does not run here"
    except LookupError as error:
        made, index = False, str(error)
    if made and works(folder, machine):
        return with_wheel.__name__
    clear(folder)
    raise SetupError(WAYS_OUT.format(index=index, python=machine.python))


def requirements(project: Path) -> list[str]:
    """What the project, its development and its build need, as pyproject.toml has it."""
    import tomllib

    document = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    return [
        *document["project"]["dependencies"],
        *document["dependency-groups"]["dev"],
        *document["build-system"]["requires"],
    ]


def install(folder: Path, project: Path) -> None:
    """Install what is needed, pinned, then the project in place, built without a second install."""
    pip = [str(python_of(folder)), "-m", "pip", "install", "-qq"]  # errors only
    pinned = ["--constraint", str(project / "constraints.txt"), *requirements(project)]
    in_place = ["--no-deps", "--no-build-isolation", "--editable", str(project)]
    for arguments in (pinned, in_place):
        if subprocess.run([*pip, *arguments], env=environment(), cwd=project).returncode:
            raise SetupError(
                "pip could not install the project; its messages are above. If it found no index, "
                "name yours in PIP_INDEX_URL or as index-url in pip's configuration file."
            )


def place(folder: Path) -> str:
    """Where the environment is and what runs it: its programs work for no other."""
    return f"{folder} {sys.version}".replace("\n", " ")


def contents(project: Path) -> str:
    """What the environment was filled from."""
    sha = hashlib.sha256()
    for name in INPUTS:
        sha.update((project / name).read_bytes())
    return sha.hexdigest()


def set_up(folder: Path, project: Path, machine: Machine) -> None:
    stamp = folder / ".installed"
    wanted = [place(folder), contents(project)]
    found = stamp.read_text(encoding="utf-8").splitlines() if stamp.is_file() else []
    if found == wanted:
        return
    moved = bool(found) and found[0] != wanted[0]
    if moved or not works(folder, machine):
        print("Making a virtual environment in .venv ...", file=sys.stderr, flush=True)
        make(folder, machine)
    stamp.unlink(missing_ok=True)
    print("Installing the project and its tools, a minute or so ...", file=sys.stderr, flush=True)
    install(folder, project)
    stamp.write_text("\n".join(wanted), encoding="utf-8")


def use_newer_python() -> None:
    """Go on under a Python that is new enough, if the machine has one. Returns if it has none."""
    for minor in range(NEEDED[1] + 9, NEEDED[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found and not subprocess.run([found, "-c", ""], stderr=subprocess.DEVNULL).returncode:
            os.execv(found, [found, *sys.argv])


def main() -> int:
    if sys.version_info[:2] < NEEDED:
        use_newer_python()
        have = ".".join(str(part) for part in sys.version_info[:3])
        print(
            f"This project needs Python 3.11 or later; {sys.executable} is {have}. "
            "Name another: make PYTHON=/path/to/python3",
            file=sys.stderr,
        )
        return 2
    try:
        set_up(FOLDER, PROJECT, Machine())
    except SetupError as error:
        print(f"setting up: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
