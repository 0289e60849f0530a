"""One request and its response, held to the constitution: the state of a request lives here."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Literal

from guardrails.asgi.answers import (
    Errors,
    decision_headers,
    instead,
    send_answer,
    send_unrecorded,
    status_of,
)
from guardrails.asgi.codings import CodingError, TooLongError, decoded
from guardrails.asgi.held import HeldResponse
from guardrails.asgi.messages import (
    DEPENDENT,
    ASGIApp,
    BodyTooLongError,
    ClientLeftError,
    Headers,
    Message,
    Receive,
    Scope,
    Send,
    read_body,
    replaying,
)
from guardrails.asgi.shapes import misshapen
from guardrails.asgi.streaming import StreamedResponse
from guardrails.errors import AuditError, WireFormatError
from guardrails.guard import GuardedCall
from guardrails.guard.streamed_body import StreamedBody
from guardrails.telemetry import log
from guardrails.verdict import Decision, Stage
from guardrails.wire.body import Body, JoinedBody, JsonBody, OpaqueBody, PairsBody, TextBody
from guardrails.wire.formats import AUTO, EVENTS, Answer, BodyFormat, Payload
from guardrails.wire.payload import document_of
from guardrails.wire.provider_formats import ProviderFormat
from guardrails.wire.refusals import expects_json
from guardrails.wire.stream_formats import stream_reader
from guardrails.wire.strict_json import AmbiguousError
from guardrails.wire.walk import TooManyValuesError

__all__ = ["Exchange", "Options"]

HIDDEN_FROM_APPLICATION = frozenset(
    {b"accept-encoding", b"if-modified-since", b"if-none-match", b"if-range", b"range"}
)
"""With these it would answer with bytes that cannot be judged, or with none."""

WITHDRAWN = ("http.response.pathsend", "http.response.zerocopysend", "http.response.early_hint")
"""Ways past us for a response's content."""

TOO_LONG_REPLY = "the response is longer than may be checked; ask for a shorter one"

BODILESS = frozenset({204, 205, 304})
FIRST_ERROR = 400
"""From this status on a response may be a framework's, in another format than the route's."""

STREAMED_CHARSETS = (None, "utf-8", "utf8", "us-ascii")
"""Plain text in others is held whole: what is put into it may need another charset."""

_PARAMETER = re.compile(
    r"""[ \t]*(?:([!#$%&'+.^_`|~0-9a-z-]+)=(?:([^\s";,]+)|"([^"\\;]*)")[ \t]*)?""", re.IGNORECASE
)
"""Of a type, as RFC 9110 has it, section 5.6.6, without what readers take apart in different ways:
blanks round the `=`, a `;` or an escape in quotes, and `charset*`."""

INLINE_BYTES = 100_000
"""A longer body is read off the loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`refuse`: what a blocked exchange is answered with, the reply or 403."""

    max_body_bytes: int
    trust_system: bool
    refuse: Literal["reply", "problem"]


class _AnsweredError(Exception):
    """There is an answer, and the application has no more part in it."""

    def __init__(self, answer: Answer, decision: Decision | None = None) -> None:
        super().__init__()
        self._answer, self._decision = answer, decision

    async def send(self, send: Send) -> None:
        await send_answer(send, self._answer, self._decision)


@dataclass(slots=True)
class Exchange:
    """`format` is the one that the route names, `errors` how errors are written there."""

    app: ASGIApp = field(repr=False)
    call: GuardedCall = field(repr=False)
    format: BodyFormat
    errors: Errors
    options: Options
    path: str = field(repr=False)

    async def run(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers.of(scope.get("headers") or ())
        try:
            request = await self._request(scope, headers, receive)
        except _AnsweredError as answered:
            await answered.send(send)
            return
        except ClientLeftError:
            return
        method = str(scope.get("method"))

        async def respond(held: HeldResponse) -> None:
            try:
                await self._respond(held, request, send, method=method)
            except _AnsweredError as answered:
                await answered.send(send)
            except AuditError as error:
                await send_unrecorded(error, self.errors, send)

        async def opens(start: Message) -> StreamedResponse | None:
            return await self._stream(start, request, send, method=method)

        held = HeldResponse(self.options.max_body_bytes, respond, opens)
        scope, receive = self._handed_on(scope, headers, receive, request)
        try:
            await self.app(scope, receive, held.send)
        finally:
            await held.let_go()

    # -- what came ---------------------------------------------------------------------------

    async def _request(self, scope: Scope, headers: Headers, receive: Receive) -> _Request:
        self._check_length(headers)
        try:
            sent = await read_body(receive, limit=self.options.max_body_bytes)
        except BodyTooLongError:
            raise _AnsweredError(self._too_long()) from None
        if any(int(said) != len(sent) for said in headers.all("content-length")):
            raise _AnsweredError(
                self.errors.answer(400, "the body is not as long as content-length says")
            )
        query = bytes(scope.get("query_string") or b"")
        try:
            body = await self._read(sent, headers, self.format)
            asked = _query(query) if _judges_query(self.format) else None
        except AmbiguousError as error:
            raise _AnsweredError(self.errors.answer(400, str(error))) from None
        except (TooLongError, TooManyValuesError):
            raise _AnsweredError(self._too_long()) from None
        texts = JoinedBody((body,) if asked is None else (body, asked))
        request = _Request(sent=sent, texts=texts, raw_query=query)
        if request.texts.parts:
            request = await self._admit(request)
        return request

    def _check_length(self, headers: Headers) -> None:
        said = set(headers.all("content-length"))
        if not said:
            return
        (length, *others) = said
        if others or not length.isascii() or not length.isdecimal():
            raise _AnsweredError(self.errors.answer(400, "content-length is not one whole number"))
        if len(length) > 15 or int(length) > self.options.max_body_bytes:
            raise _AnsweredError(self._too_long())

    def _too_long(self) -> Answer:
        limit = self.options.max_body_bytes
        return self.errors.answer(413, f"the body is longer than {limit:,} bytes")

    async def _read_response(
        self, sent: bytes, headers: Headers, request: Body, format: BodyFormat
    ) -> Body:
        try:
            return await self._read(sent, headers, format, request)
        except (AmbiguousError, TooLongError, TooManyValuesError) as error:
            return OpaqueBody(sent, "assistant", str(error) or "more than may be read")

    async def _read(
        self, sent: bytes, headers: Headers, format: BodyFormat, request: Body | None = None
    ) -> Body:
        """The body without its codings. Raises AmbiguousError, TooLongError, TooManyValuesError."""
        if len(sent) > INLINE_BYTES or headers.get("content-encoding"):
            return await asyncio.to_thread(self._read_here, sent, headers, format, request)
        return self._read_here(sent, headers, format, request)

    def _read_here(
        self, sent: bytes, headers: Headers, format: BodyFormat, request: Body | None
    ) -> Body:
        role: Literal["user", "assistant"] = "user" if request is None else "assistant"
        codings = headers.get("content-encoding") or ""
        try:
            data = decoded(sent, codings, limit=self.options.max_body_bytes)
        except CodingError as error:
            return OpaqueBody(sent, role, str(error))
        payload = _payload(data, headers, self.path)
        try:
            if request is None:
                trusts = self.options.trust_system
                body = format.request(payload, trust_system=trusts)
                _refuse_misshapen(body, payload, format)
                return body
            return format.response(payload, request)
        except (AmbiguousError, TooManyValuesError):
            raise
        except WireFormatError as error:
            raise AmbiguousError(str(error)) from None

    async def _admit(self, request: _Request) -> _Request:
        """Judge what came. Raises _AnsweredError if it is stopped."""
        decision = await self.call.check(request.texts, stage=Stage.INPUT)
        if not decision.delivers:
            self._say_how_to_exempt(request.body)
            answer = instead(
                decision,
                self.format,
                self.errors,
                request=request.body,
                response=None,
                refuse=self.options.refuse,
            )
            await self.call.delivered(decision, None, how="reply")
            raise _AnsweredError(answer, decision)
        await self.call.delivered(decision, decision.content)
        return request.changed_to(decision.content)

    def _handed_on(
        self, scope: Scope, headers: Headers, receive: Receive, request: _Request
    ) -> tuple[Scope, Receive]:
        """What the application gets: as it came, but for what was changed or would lead past us."""
        kept = headers.without(HIDDEN_FROM_APPLICATION).without_any(b"guardrails-")
        if request.is_changed:
            kept = kept.without(DEPENDENT).plus(("content-length", str(len(request.data))))
            kept = _in_charset_of(request.body, kept)
        extensions = {
            name: value
            for name, value in (scope.get("extensions") or {}).items()
            if name not in WITHDRAWN
        }
        handed = {**scope, "headers": kept.raw(), "extensions": extensions}
        if request.query_string != request.raw_query:
            handed["query_string"] = request.query_string
        return handed, replaying(request.data, receive)

    # -- what goes out -----------------------------------------------------------------------

    async def _respond(
        self, held: HeldResponse, request: _Request, send: Send, *, method: str
    ) -> None:
        headers = Headers.of(held.start.get("headers") or ())
        if held.overflowed:
            raise _AnsweredError(self.errors.answer(413, TOO_LONG_REPLY, request.body))
        sent, status = held.body, int(held.start["status"])
        if status in BODILESS:
            headers = headers.without((b"content-length", b"transfer-encoding"))
        if not sent or status in BODILESS or method == "HEAD":
            await held.pass_on(send, headers, b"")  # a body has no place there, and is not judged
            return
        body = await self._read_response(sent, headers, request.body, self.format)
        if isinstance(body, OpaqueBody) and status >= FIRST_ERROR:
            body = await self._read_response(sent, headers, request.body, AUTO)
        decision = await self.call.check(body, stage=Stage.OUTPUT, prompt=request.texts)
        if not decision.delivers:
            self._say_how_to_exempt(body)
            answer = instead(
                decision,
                self.format,
                self.errors,
                request=request.body,
                response=body,
                refuse=self.options.refuse,
            )
            await self.call.delivered(decision, None, how="reply")
            raise _AnsweredError(answer, decision)
        judged = decision.content
        await self.call.delivered(decision, judged)
        if isinstance(judged, Body) and judged is not body:
            sent = judged.data
            headers = _in_charset_of(judged, headers.without(DEPENDENT))
        headers = headers.without((b"transfer-encoding",)).plus(
            ("content-length", str(len(sent))), *decision_headers(decision)
        )
        await held.pass_on(send, headers, sent)

    async def _stream(
        self, start: Message, request: _Request, send: Send, *, method: str
    ) -> StreamedResponse | None:
        """A response that is judged while it comes; None for one that must be held whole."""
        headers, status = Headers.of(start.get("headers") or ()), int(start["status"])
        if status >= FIRST_ERROR or status in BODILESS or method == "HEAD":
            return None
        if headers.get("content-encoding") or headers.get("content-length"):
            return None
        try:
            payload = _payload(b"", headers, self.path)
        except AmbiguousError:
            return None
        is_events = payload.media_type == EVENTS
        if not is_events and payload.charset not in STREAMED_CHARSETS:
            return None
        if _expects_json(request.body):
            return None  # half of a JSON value and a reply are neither
        reader = stream_reader(self.format, payload, request.body)
        if reader is None:
            return None

        def answer(decision: Decision) -> Answer | None:
            """What is stopped before any of it was sent is answered as a whole response is, but
            for a reply in the stream's own form."""
            is_ours = is_events and self.options.refuse == "reply" and status_of(decision) is None
            if is_ours and reader.can_refuse:
                return None
            unread = OpaqueBody(b"", "assistant", reader.unread) if is_ours else None
            return instead(
                decision,
                self.format,
                self.errors,
                request=request.body,
                response=unread,
                refuse=self.options.refuse,
            )

        def stopped() -> None:
            if body.unread:
                self._say_how_to_name(body.unread)

        reply = await self.call.reply(prompt=request.texts)
        body = StreamedBody(
            reply,
            reader,
            most_held=self.options.max_body_bytes,
            most=None if is_events else self.options.max_body_bytes,
        )
        return StreamedResponse(
            body,
            start,
            headers,
            send,
            errors=self.errors,
            instead=answer,
            stopped=stopped,
            is_events=is_events,
        )

    def _say_how_to_exempt(self, body: Body) -> None:
        if isinstance(body, OpaqueBody):
            self._say_how_to_name(body.why)

    def _say_how_to_name(self, why: str) -> None:
        log.warning(
            "a body cannot be judged: name its format in routes=, or exempt its path",
            why=why,
            format=self.format.name,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What came: the body as it was sent, and what was read in it and in the query, if there is
    one."""

    sent: bytes = field(repr=False)
    texts: JoinedBody
    raw_query: bytes = field(repr=False)
    is_changed: bool = False

    @property
    def body(self) -> Body:
        return self.texts.bodies[0]

    def changed_to(self, content: object) -> _Request:
        if not isinstance(content, JoinedBody) or content is self.texts:
            return self
        return _Request(
            sent=self.sent,
            texts=content,
            raw_query=self.raw_query,
            is_changed=content.bodies[0] is not self.body,
        )

    @property
    def data(self) -> bytes:
        return self.body.data if self.is_changed else self.sent

    @property
    def query_string(self) -> bytes:
        """As it came, or made anew if a text in it was changed."""
        _, *query = self.texts.bodies
        return query[0].data if query else self.raw_query


def _refuse_misshapen(body: Body, payload: Payload, format: BodyFormat) -> None:
    """Raises WireFormatError for a request that its provider would not take, either."""
    if not isinstance(format, ProviderFormat):
        return
    document = body.document if isinstance(body, JsonBody) else document_of(payload)
    if (why := misshapen(document, format.asks)) is not None:
        raise WireFormatError(f"the JSON is no request of this format: {why}")


def _expects_json(request: Body) -> bool:
    document = request.document if isinstance(request, JsonBody) else None
    return isinstance(document, dict) and expects_json(document)


def _query(raw: bytes) -> PairsBody | None:
    """The names and values of a query, as texts. Raises AmbiguousError."""
    return PairsBody.of(raw, "user") if raw else None


def _judges_query(format: BodyFormat) -> bool:
    """Where pointers say what is text, the query is none."""
    return not format.name.startswith("json:")


def _in_charset_of(body: Body, headers: Headers) -> Headers:
    """A text that no longer fits its charset is in another one."""
    said = headers.get("content-type") or ""
    if not isinstance(body, TextBody) or body.encoding != "utf-8" or "charset" not in said.lower():
        return headers
    return headers.plus(("content-type", f"{said.partition(';')[0]}; charset=utf-8"))


def _payload(data: bytes, headers: Headers, path: str) -> Payload:
    """Raises AmbiguousError for headers that two readers may read in two ways."""
    types = set(headers.all("content-type"))
    media_type, _, parameters = (types.pop() if types else "").partition(";")
    if types:
        raise AmbiguousError("the content has several types")
    charset = _charset(parameters) if parameters else None
    return Payload(
        data=data,
        media_type=media_type.strip().lower(),
        charset=charset,
        path=path,
        anthropic=headers.get("anthropic-version") is not None,
    )


def _charset(parameters: str) -> str | None:
    """What parameters of a type say of it. Raises AmbiguousError."""
    charsets = set()
    for parameter in parameters.split(";"):
        found = _PARAMETER.fullmatch(parameter)
        if found is None:
            raise AmbiguousError("a parameter of the content's type can be read in two ways")
        name, plain, quoted = found.groups(default="")
        if name.lower() == "charset":
            charsets.add((plain or quoted).lower())
    if len(charsets) > 1:
        raise AmbiguousError("the content has several types")
    return charsets.pop() if charsets else None
