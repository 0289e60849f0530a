"""Telling another system of a new case: signed, retried, and without the user's text.

The body is signed as it is sent: `guardrails-signature: t=SECONDS,v1=HEX`, where HEX is the
HMAC-SHA-256 of `SECONDS.BODY` under the webhook's key. A receiver checks it with
`verify_signature`, which also refuses what is too old to be new.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guardrails.audit.record import Opened
from guardrails.errors import SettingsError
from guardrails.loop.private import start_apart
from guardrails.settings import Settings
from guardrails.telemetry import log

__all__ = ["SIGNATURE", "Webhook", "signature_of", "verify_signature", "webhook_of"]

SIGNATURE = "guardrails-signature"
MOST_WAITING = 1_000
"""Cases that may wait to be told; what comes then is logged, and stays in the record."""

TIMES = 6
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
TIMEOUT_S = 10.0
OLDEST_S = 300.0
KEY_BYTES = 32


def signature_of(key: bytes, body: bytes, *, at: int) -> str:
    """The value of the header `guardrails-signature`; `at` is Unix time in seconds."""
    mac = hmac.new(key, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


def verify_signature(
    header: str,
    body: bytes,
    key: bytes,
    *,
    tolerance_s: float = OLDEST_S,
    clock: Callable[[], float] = time.time,
) -> bool:
    """Whether a body was signed with this key, no longer than `tolerance_s` ago."""
    fields = dict(part.partition("=")[::2] for part in header.split(","))
    said = fields.get("t", "")
    if not said.isascii() or not said.isdecimal() or len(said) > 12:
        return False
    if abs(clock() - int(said)) > tolerance_s:
        return False
    return hmac.compare_digest(signature_of(key, body, at=int(said)), header)


@dataclass(slots=True)
class Webhook:
    """Tells of cases from any thread, without waiting: on the process's private loop."""

    url: str
    key: bytes = field(repr=False)
    tells_text: bool = False
    first_wait_s: float = FIRST_WAIT_S
    _waiting: set[Future[None]] = field(default_factory=set, repr=False)

    def tell(self, record: Opened) -> None:
        """Start to tell of an escalated record."""
        if len(self._waiting) >= MOST_WAITING:
            log.error("too many cases wait to be told; see the record", record=record.record_id)
            return
        body = json.dumps(_case(record, tells_text=self.tells_text), sort_keys=True).encode()
        telling = start_apart(self._deliver(body, record.record_id))
        self._waiting.add(telling)
        telling.add_done_callback(self._waiting.discard)

    async def aclose(self, *, patience_s: float = 5.0) -> None:
        """Wait a while for what is under way. What is not told then stays in the record."""
        waiting = [asyncio.wrap_future(one) for one in tuple(self._waiting)]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=patience_s)
            if late:
                log.warning("cases were not told before the end", cases=len(late))

    async def _deliver(self, body: bytes, record_id: str) -> None:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            wait = self.first_wait_s
            for attempt in range(1, TIMES + 1):
                told, after = await self._attempt(session, body)
                if told:
                    return
                if attempt < TIMES:
                    jitter = random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret
                    await asyncio.sleep(min(LONGEST_WAIT_S, max(wait * jitter, after)))
                    wait *= 2
        log.error("a case could not be told; see the record", record=record_id, attempts=TIMES)

    async def _attempt(self, session: Any, body: bytes) -> tuple[bool, float]:
        """Whether it was taken, and how long the receiver wants us to wait."""
        import aiohttp

        headers = {
            "content-type": "application/json",
            SIGNATURE: signature_of(self.key, body, at=int(time.time())),
        }
        try:
            async with session.post(
                self.url, data=body, headers=headers, allow_redirects=False
            ) as response:
                if 200 <= response.status < 300:
                    return True, 0.0
                return False, _seconds(response.headers.get("retry-after"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info("a webhook could not be reached", error=error)
            return False, 0.0


def _seconds(retry_after: str | None) -> float:
    said = retry_after or ""
    return float(said) if said.isascii() and said.isdecimal() and len(said) < 6 else 0.0


def _case(record: Opened, *, tells_text: bool) -> Mapping[str, Any]:
    kept = record.model_dump(mode="json", include=_TOLD)
    kept["principles"] = list(dict.fromkeys(f.principle for f in record.findings))
    if tells_text:
        kept["redacted_text"] = record.redacted_text
    return {"event": "case.escalated", "case": kept}


_TOLD = {"record_id", "at", "stage", "verdict", "cause", "constitution", "tenant"}


def webhook_of(settings: Settings) -> Webhook | None:
    """The webhook that settings name. Raises SettingsError if its key cannot be used."""
    if settings.review_webhook is None:
        return None
    if settings.review_webhook_key_file is None:
        raise SettingsError(
            "review_webhook needs review_webhook_key_file: what is told is signed with its key"
        )
    return Webhook(
        url=settings.review_webhook,
        key=_key(settings.review_webhook_key_file),
        tells_text=settings.review_webhook_text,
    )


def _key(file: Path) -> bytes:
    try:
        with file.open("rb") as source:
            key = source.read(4_096).strip()
    except OSError as error:
        raise SettingsError(
            f"review_webhook_key_file {str(file)!r} cannot be read: {error.strerror}"
        ) from None
    if len(key) < KEY_BYTES:
        raise SettingsError(
            f"review_webhook_key_file {str(file)!r} must hold at least {KEY_BYTES} characters"
        )
    return key
