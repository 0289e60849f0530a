"""What a client sees where the application's own response does not go on."""

from __future__ import annotations

from guardrails.asgi.messages import Headers, Send
from guardrails.budget.daily import seconds_to_next_day
from guardrails.errors import AuditError
from guardrails.telemetry import log
from guardrails.verdict import ConstitutionPin, Decision
from guardrails.wire.body import Body
from guardrails.wire.formats import Answer, BodyFormat, problem

__all__ = [
    "RETRY_AFTER_S",
    "bad_request",
    "decision_headers",
    "instead",
    "pending_headers",
    "retry_after_s",
    "send_answer",
    "status_of",
    "unrecorded",
]

RETRY_AFTER_S = 5
"""What a client is told to wait after an outage, in seconds."""

_SIZES = frozenset({"budget.max_chars", "format.readable"})
_TITLES = {
    400: "The request cannot be read",
    403: "Stopped by the constitution",
    413: "Too large to be checked",
    429: "Over the limit of what may be checked",
    503: "The check is unavailable",
}


def status_of(decision: Decision) -> int | None:
    """The status of an outage or a limit; None for what the constitution stopped."""
    if decision.cause == "outage":
        return 503
    if decision.cause != "limit":
        return None
    reached = {finding.principle for finding in decision.findings if finding.cause == "limit"}
    return 413 if reached & _SIZES else 429


def instead(
    decision: Decision,
    format: BodyFormat,
    *,
    request: Body | None,
    response: Body | None,
    refuse: str,
) -> Answer:
    """The answer to a blocked exchange: in the format's own shape where it has one."""
    status = status_of(decision)
    if status is not None:
        made = format.trouble(status, decision.text, request)
        return made or _problem(status, decision)
    if refuse == "reply":
        made = format.refusal(decision.text, request, response)
        if made is not None:
            return made
    return _problem(403, decision)


def bad_request(status: int, detail: str, format: BodyFormat | None) -> Answer:
    """What is wrong with a request that was never judged. `detail` holds none of its text."""
    made = None if format is None else format.trouble(status, detail, None)
    return made or problem(status, _TITLES.get(status, "The request cannot be judged"), detail)


def decision_headers(decision: Decision) -> list[tuple[str, str]]:
    pin = decision.constitution
    return [
        ("guardrails-verdict", str(decision.verdict)),
        ("guardrails-record", decision.record_id),
        ("guardrails-constitution", f"{pin.id}@{pin.version}"),
    ]


def pending_headers(pin: ConstitutionPin, record_id: str) -> list[tuple[str, str]]:
    """Of a stream that leaves before all of it is judged."""
    return [
        ("guardrails-verdict", "pending"),
        ("guardrails-record", record_id),
        ("guardrails-constitution", f"{pin.id}@{pin.version}"),
    ]


async def unrecorded(error: AuditError, format: BodyFormat, send: Send) -> None:
    """What cannot be recorded is not delivered."""
    log.error("a decision could not be recorded", problem=str(error))
    answer = bad_request(503, "the check cannot be recorded right now", format)
    await send_answer(send, answer, more=[])


async def send_answer(
    send: Send, answer: Answer, *, more: list[tuple[str, str]], retry_after_s: int = RETRY_AFTER_S
) -> None:
    media = answer.media_type
    if media.startswith("text/"):
        media += "; charset=utf-8"
    headers = Headers(()).plus(
        ("content-type", media), ("content-length", str(len(answer.data))), *more
    )
    if answer.status in (429, 503):
        headers = headers.plus(("retry-after", str(retry_after_s)))
    headers = headers.plus(("cache-control", "no-store"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers.raw()})
    await send({"type": "http.response.body", "body": answer.data})


def retry_after_s(decision: Decision) -> int:
    """What a client is told to wait: until the next day, if the day's budget is spent."""
    spent = any(finding.principle.startswith("daily.") for finding in decision.findings)
    return seconds_to_next_day() if spent and decision.cause == "limit" else RETRY_AFTER_S


def _problem(status: int, decision: Decision) -> Answer:
    return problem(
        status,
        _TITLES[status],
        decision.text,
        verdict=str(decision.verdict),
        record=decision.record_id,
    )
