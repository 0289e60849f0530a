"""The tip of each writer's chain, kept outside the trail, so that a cut tail is missed.

One line of 256 bytes per writer, rewritten in place after every commit: cheap enough to be done
before a record is acknowledged, and never ahead of the trail. Each line carries a MAC of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from guardrails.errors import AuditError

__all__ = ["Anchor", "AnchorWriter", "Tip", "read_anchor"]

DOMAIN = b"constitutional-guardrails anchor 1\x00"
WIDTH = 256
MOST_DAMAGED = (
    1_000  # lines that are named: what stands there may be a large file of something else
)


@dataclass(frozen=True, slots=True)
class Tip:
    """The last entry of a writer that the anchor knows of."""

    seq: int
    mac: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """What an anchor file says: tips by writer, and the numbers of lines that prove nothing."""

    tips: Mapping[str, Tip]
    damaged: tuple[int, ...] = ()


class AnchorWriter:
    """Keeps one writer's line in an anchor file that others write, too."""

    __slots__ = ("_file", "_key", "_offset")

    def __init__(self, file: Path, key: bytes) -> None:
        self._file = file
        self._key = key
        self._offset: int | None = None

    def write(self, writer: str, seq: int, mac: bytes) -> None:
        """Raises AuditError. Opens the file anew each time: it may have been moved or replaced."""
        try:
            line = self._line(writer, seq, mac)
            if self._offset is None or not self._rewrite(writer, line):
                self._append(line)
        except OSError as error:
            raise self._refused(error) from None

    def probe(self) -> None:
        """Raises AuditError unless a line could be written now; writes none."""
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600))
        except OSError as error:
            raise self._refused(error) from None

    def _refused(self, error: OSError) -> AuditError:
        return AuditError(
            f"the audit anchor {str(self._file)!r} cannot be written: {error.strerror}; "
            f"make it writable or name another in GUARDRAILS_AUDIT_ANCHOR"
        )

    def _rewrite(self, writer: str, line: bytes) -> bool:
        """False if our line is not where we left it."""
        try:
            target = self._file.open("r+b", buffering=0)
        except FileNotFoundError:
            return False
        with target:
            target.seek(self._offset or 0)
            if not target.read(WIDTH).startswith(f"1 {writer} ".encode()):
                return False
            target.seek(self._offset or 0)
            target.write(line)
            return True

    def _append(self, line: bytes) -> None:
        """One write at the end: several processes may do so at once."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "ab", buffering=0) as target:
            target.write(line)
            self._offset = target.tell() - WIDTH

    def _line(self, writer: str, seq: int, mac: bytes) -> bytes:
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = f"1 {writer} {seq} {mac.hex()} {at}".encode()
        return (text + b" " + _tag(self._key, text)).ljust(WIDTH - 1) + b"\n"


def read_anchor(file: Path, key: bytes) -> Anchor:
    """Raises AuditError if there is no such file."""
    anchor = _read(file, key)
    for _ in range(2):  # a line may have been read while it was being rewritten
        anchor = _read(file, key) if anchor.damaged else anchor
    return anchor


def _read(file: Path, key: bytes) -> Anchor:
    tips: dict[str, Tip] = {}
    damaged: list[int] = []
    try:
        with file.open("rb") as source:
            for number, line in enumerate(iter(lambda: source.readline(4 * WIDTH), b""), start=1):
                text, _, tag = line.rstrip().rpartition(b" ")
                if not hmac.compare_digest(tag, _tag(key, text)):
                    damaged += [number] if len(damaged) < MOST_DAMAGED else []
                    continue
                _, writer, seq, mac, _ = text.decode("ascii").split(" ")
                if writer not in tips or int(seq) > tips[writer].seq:
                    tips[writer] = Tip(int(seq), bytes.fromhex(mac))
    except OSError as error:
        raise AuditError(
            f"the audit anchor {str(file)!r} cannot be read: {error.strerror}"
        ) from None
    return Anchor(tips=tips, damaged=tuple(damaged))


def _tag(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, DOMAIN + text, hashlib.sha256).hexdigest().encode()
