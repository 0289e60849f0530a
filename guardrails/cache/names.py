"""Names under which verdicts are kept, and MACs of what is kept: both keyed. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

__all__ = ["MAC_LENGTH", "Name", "Names"]

Name = bytes
"""32 bytes that say nothing of what they name to whoever lacks the key."""

MAC_LENGTH = 16


class Names:
    """Makes names from the installation's key for caches. Two tenants share none."""

    __slots__ = ("_macs", "_names")

    def __init__(self, key: bytes) -> None:
        self._names = hmac.digest(key, b"names", hashlib.sha256)
        self._macs = hmac.digest(key, b"macs", hashlib.sha256)

    def of(self, tenant: str, fields: Iterable[str | bytes]) -> Name:
        """The same only for the same tenant and the same list of fields."""
        own = hmac.digest(self._names, _bytes(tenant), hashlib.sha256)
        mac = hmac.new(own, digestmod=hashlib.sha256)
        for field in map(_bytes, fields):
            mac.update(len(field).to_bytes(8, "big"))  # so that ["ab"] is not ["a", "b"]
            mac.update(field)
        return mac.digest()

    def sealed(self, name: Name, value: bytes) -> bytes:
        """The value with a MAC that holds for this name only."""
        return self._mac(name, value) + value

    def opened(self, name: Name, sealed: bytes) -> bytes | None:
        """The value, None if its MAC is wrong."""
        mac, value = sealed[:MAC_LENGTH], sealed[MAC_LENGTH:]
        return value if hmac.compare_digest(mac, self._mac(name, value)) else None

    def _mac(self, name: Name, value: bytes) -> bytes:
        return hmac.digest(self._macs, name + value, hashlib.sha256)[:MAC_LENGTH]

    def __repr__(self) -> str:
        return "<Names>"


def _bytes(field: str | bytes) -> bytes:
    return field if isinstance(field, bytes) else field.encode("utf-8", "surrogatepass")
