"""A trail's file that is moved away while it is written, as log rotation does it.

SQLite keeps what is new in a log beside the file, and where to find it in another file: both by the
old name, under which the moved file does not look for them. So whoever begins a new file puts the
old one's log aside first; who still has that open goes on in it, and it is never the new file's.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from guardrails.telemetry import log

if sys.platform != "win32":
    import fcntl

__all__ = ["brought_home", "make_room"]

LOG, INDEX = "-wal", "-shm"
PATIENCE_S = 0.25
"""What others may take to let go of a moved file's log. Its entries are in the file before that."""


def brought_home(connection: sqlite3.Connection) -> None:
    """Put what a moved file's log holds into that file, for nobody will find it by its name.
    SQLite does so itself only for a file that is where it was."""
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        connection.execute(f"PRAGMA busy_timeout = {int(PATIENCE_S * 1_000)}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def make_room(file: Path, *, patience_s: float) -> None:
    """Make the file, if there is none, with nobody's log beside it. Raises OSError."""
    if file.exists():
        return
    file = file.resolve()  # where SQLite looks for a log, too
    with _alone(file.parent, patience_s):
        if file.exists():  # another process was faster
            return
        log_file = file.with_name(file.name + LOG)
        with suppress(FileNotFoundError):
            _put_aside(log_file)
        with suppress(FileNotFoundError):
            file.with_name(file.name + INDEX).unlink()  # made anew from the log
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite's own mode is wider


def _put_aside(log_file: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while log_file.stat().st_size:  # others may be about to bring it home
        if time.monotonic() > until:
            break
        time.sleep(0.01)
    else:
        log_file.unlink()
        return
    aside = log_file.with_name(f"{log_file.name}.{time.time_ns()}")
    log_file.rename(aside)
    log.warning(
        "the log of an audit trail that was moved away is put aside: give it the name of that "
        "trail, with -wal behind it, unless `constitution audit verify` misses nothing in it",
        file=str(aside),
    )


@contextmanager
def _alone(folder: Path, patience_s: float) -> Iterator[None]:
    """While no other process begins a trail there. Where no folder can be locked, nobody waits."""
    until = time.monotonic() + patience_s
    try:
        held = os.open(folder, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        while not _locked(held):
            if time.monotonic() > until:
                raise TimeoutError(errno.EAGAIN, "another process begins a file in its folder")
            time.sleep(0.01)
        yield
    finally:
        os.close(held)


def _locked(held: int) -> bool:
    if sys.platform != "win32":  # which has no lock of a folder
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # not of a folder on this file system
            pass
    return True
