"""Programs in processes of their own that need not read the large libraries again.

A Python that has them forks for each program. Of the project it has nothing, so that a program
finds it as a new interpreter does; `make proof` runs the same programs in new ones.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import pytest

SMALL = ("asyncio", "pydantic", "rich.console", "structlog", "yaml")
VENDORS = ("aiohttp", "anthropic", "openai", "presidio_analyzer")
"""What programs of guides and examples may come to use; more than a second to import."""

EACH_WAY = pytest.mark.parametrize(
    "new", [False, pytest.param(True, marks=pytest.mark.proof, id="new")]
)

FORKS = """
import gc, importlib, json, os, sys, types

for line in sys.stdin:
    told = json.loads(line)
    for name in told["libraries"]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    child = os.fork()
    if not child:
        break
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
else:
    sys.exit()

for number, passed in enumerate(told["files"]):
    os.dup2(passed, number)
sys.stdin = open(0, closefd=False)
os.environ.clear()
os.environ.update(told["environment"])
os.chdir(told["folder"])
sys.path[0] = os.path.dirname(told["file"])
sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
importlib.invalidate_caches()
sys.argv = [told["file"] or "-c", *told["arguments"]]
main = sys.modules["__main__"] = types.ModuleType("__main__")
if told["file"]:
    main.__file__ = told["file"]
exec(compile(told["program"], told["file"] or "<string>", "exec"), main.__dict__)
"""


class _Warm:
    """Begun with files for a program's input, output and errors, which its children inherit."""

    def __init__(self) -> None:
        with ExitStack() as opened:
            files = [opened.enter_context(TemporaryFile()) for _ in range(3)]
            self.files: list[IO[bytes]] = files
            self.close_files = opened.pop_all().close
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error::RuntimeWarning", "-c", FORKS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[file.fileno() for file in self.files],
            env={**os.environ, "PYTHONUTF8": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        atexit.register(self.close)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.close_files()

    def run(self, said: bytes, told: Mapping[str, object]) -> subprocess.CompletedProcess[bytes]:
        for file in self.files:
            file.seek(0)
            file.truncate()
        self.files[0].write(said)
        self.files[0].seek(0)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        numbers = [file.fileno() for file in self.files]
        self.process.stdin.write(json.dumps({**told, "files": numbers}).encode() + b"\n")
        self.process.stdin.flush()
        status = int(self.process.stdout.readline())
        for file in self.files:
            file.seek(0)
        return subprocess.CompletedProcess([], status, self.files[1].read(), self.files[2].read())


_warm = cache(_Warm)


def run_python(
    program: str | Path,
    *arguments: str,
    folder: Path,
    environment: Mapping[str, str],
    said: bytes = b"",
    libraries: Sequence[str] = SMALL,
    new: bool = False,
) -> subprocess.CompletedProcess[bytes]:
    """What a file, or code, says when Python runs it in a folder, with `libraries` read before or,
    if it is to be `new`, with nothing.

    `environment` is the program's alone. Of what Python itself reads there as it begins, only
    PYTHONPATH has an effect on one that is not new.
    """
    file = program if isinstance(program, Path) else None
    if new:
        given = [str(file)] if file else ["-c", str(program)]
        return subprocess.run(
            [sys.executable, "-W", "error::RuntimeWarning", *given, *arguments],
            cwd=folder,
            env={**environment, "PYTHONUTF8": "1"},
            input=said,
            capture_output=True,
        )
    told = {
        "program": file.read_text(encoding="utf-8") if file else program,
        "file": str(file or ""),
        "arguments": arguments,
        "folder": str(folder),
        "environment": dict(environment),
        "libraries": list(libraries),
    }
    try:
        return _warm().run(said, told)
    except BaseException:  # it may still be at work on what nobody waits for any more
        _warm().close()
        _warm.cache_clear()
        raise
