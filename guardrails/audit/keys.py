"""One root key per installation, kept in a file; keys for each purpose are derived from it."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from guardrails.errors import AuditError

__all__ = ["Keys", "load_keys", "make_keys"]

SALT = b"constitutional-guardrails key 1"
LENGTH = 32
LONGEST = 1024  # bytes of a key file that are read: hexadecimal digits and some blanks


class Keys:
    """Keys derived from one root key; the root itself is never used."""

    __slots__ = ("_extracted", "_text", "id")

    def __init__(self, root: bytes) -> None:
        if len(root) < LENGTH:
            raise ValueError(f"a root key has at least {LENGTH} bytes")
        self._extracted = hmac.digest(SALT, root, hashlib.sha256)
        self._text = hmac.new(self.derive("text"), digestmod=hashlib.sha256)
        self.id = self.derive("id")[:8].hex()

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose (`mac`, `cache`, …).

        Source: RFC 5869, HKDF with SHA-256; 32 bytes are one block of it.
        """
        return hmac.digest(self._extracted, purpose.encode() + b"\x01", hashlib.sha256)

    def digest(self, texts: Sequence[str], *, of: str = "text") -> str:
        """A keyed digest of a list of texts, the same only for the same list and the same `of`."""
        mac = self._text.copy()
        for item in (of, *texts):
            encoded = item.encode("utf-8", "surrogatepass")
            mac.update(len(encoded).to_bytes(8, "big"))  # so that ["ab"] is not ["a", "b"]
            mac.update(encoded)
        return "hmac-sha256:" + mac.hexdigest()

    def __repr__(self) -> str:
        return f"<Keys {self.id}>"


def make_keys(file: Path | None) -> Keys:
    """The keys of that file, made if there is none; without a file, keys that end with the process.

    Processes that race to make it agree: the first one's key stands.
    """
    if file is None:
        return Keys(secrets.token_bytes(LENGTH))
    if not os.path.lexists(file):
        _make(file)
    return load_keys(file)


def load_keys(file: Path) -> Keys:
    """The keys of an existing file. Raises AuditError that says what is wrong with it."""
    try:
        with file.open("rb") as source:
            mode = os.fstat(source.fileno()).st_mode
            text = source.read(LONGEST)
    except OSError as error:
        raise AuditError(f"the key {str(file)!r} cannot be read: {error.strerror}") from None
    if os.name == "posix" and mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise AuditError(
            f"the key {str(file)!r} is open to other users (mode {stat.S_IMODE(mode):04o}); "
            f"chmod 600 it, and replace it if somebody may have read it"
        )
    try:
        return Keys(bytes.fromhex(text.decode("ascii")))
    except ValueError:
        raise AuditError(
            f"the key {str(file)!r} must hold at least {2 * LENGTH} hexadecimal digits; "
            f"restore it, or move it away to have one made (old records still need the old one)"
        ) from None


def _make(file: Path) -> None:
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            target.write(secrets.token_bytes(LENGTH).hex().encode() + b"\n")
            target.flush()
            os.fsync(target.fileno())
        try:
            with contextlib.suppress(FileExistsError):  # another process was first: its key stands
                os.link(
                    draft, file
                )  # unlike a rename, never replaces; unlike O_EXCL, never partial
        finally:
            draft.unlink()
    except OSError as error:
        raise AuditError(
            f"no key can be made at {str(file)!r}: {error.strerror}; "
            f"name a file that may be written in GUARDRAILS_KEY_FILE"
        ) from None
