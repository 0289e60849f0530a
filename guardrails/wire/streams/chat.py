"""OpenAI's chat completions as they come. Source: the SDK, 3.54."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import cast

from guardrails.errors import WireFormatError
from guardrails.exchange import Part, Path
from guardrails.wire.asked import alternatives_asked, is_as_asked
from guardrails.wire.event_replies import CHAT
from guardrails.wire.logprobs import unsaid
from guardrails.wire.refusals import chat_completion, chat_declined, known_of, openai_error
from guardrails.wire.shapes import CHAT_COMPLETION, FREE, Shape
from guardrails.wire.sse import DONE, write_events
from guardrails.wire.streams.chat_deltas import ChatChoice, Delta
from guardrails.wire.streams.event_reader import name_aside
from guardrails.wire.streams.finding import find
from guardrails.wire.streams.frames import write_frame
from guardrails.wire.streams.json_events import JsonEventReader, Wording
from guardrails.wire.streams.model import StreamEvent
from guardrails.wire.streams.telling import MOST_PLACES, Json, Telling, index, without
from guardrails.wire.streams.text import PARAGRAPH
from guardrails.wire.strict_json import dump_json
from guardrails.wire.walk import Place

__all__ = ["ChatReader"]

_END: Json = {}
"""Stands for the data that are no JSON."""

_TOP = Place(role="assistant", reads=CHAT_COMPLETION)
_CHOICE = cast("Shape", CHAT_COMPLETION.reads["choices"])
_FINISHES = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
_TOLD = ("content", "refusal")
"""Fields of a message that log-probabilities tell again."""

_SHORT = 200
_FEW, _LONG = 100, 4_000
"""Values in a field that no list names, and characters, to be remembered; and how many fields."""


class ChatReader(JsonEventReader):
    """Reads a stream of `POST /v1/chat/completions`. A choice ends where it says why."""

    def __init__(self, request: Json | None = None, *, declines: bool = False) -> None:
        super().__init__(request, declines=declines)
        self._head: Json = {}
        """What chunks said of the whole so far, for most of them say it again."""
        self._unnamed_said: dict[tuple[int | str, str], object] = {}
        self._choices: dict[int, ChatChoice] = {}
        self._is_changed = False
        self._asked: Json = request or {}
        self._alternatives = alternatives_asked(self._asked)
        self._most_choices = _choices_asked(self._asked)
        # What is at the client:
        self._client_begun = False
        self._client_over: dict[int, bool] = {}
        self._client_field: dict[int, str] = {}
        """Where each choice said something last."""

    # -- reading -----------------------------------------------------------------------------

    def _parsed(self, text: str) -> Json:
        return _END if text.strip() == DONE else super()._parsed(text)

    def _tell(self, telling: Telling, name: str, data: Json) -> None:
        name_aside(telling, name)
        if data is _END:
            telling.closes += self._open_parts()
            telling.ends = True
            return
        self._about(telling, data)
        choices = data.get("choices")
        if not choices:
            return
        if type(choices) is not list:
            raise WireFormatError("choices that are no list")
        for at, choice in enumerate(choices):
            if type(choice) is not dict:
                raise WireFormatError("a choice that cannot be placed")
            self._choice(telling, choice, ("choices", at))

    def _about(self, telling: Telling, data: Json) -> None:
        """All but the choices."""
        head = self._head
        for key, value in data.items():
            if value is None or key == "choices" or head.get(key) == value:
                continue
            if key == "obfuscation":
                if value:
                    self._quiet(telling, data, key)
                continue
            if key in CHAT_COMPLETION.silent and is_as_asked(key, data, self._asked):
                continue
            if key not in CHAT_COMPLETION.reads:
                self._unnamed(telling, ("", key), value)
                continue
            before = len(telling.opens)
            self._found(telling, {key: value}, _TOP, ())
            if len(telling.opens) == before and _is_short(value):
                head[key] = value  # no text, which had to be told however often it is said
                self._known |= known_of({key: value})

    def _unnamed(self, telling: Telling, of: tuple[int | str, str], value: object) -> None:
        """A field that no list names. Vendors repeat some in every chunk: it is told once for each
        value that it has, and so cannot be changed."""
        if of in self._unnamed_said and self._unnamed_said[of] == value:
            return
        place, key = of
        path = ("choices", place) if isinstance(place, int) else ()
        at = Place(path=path, role="assistant", reads=FREE)
        found = [replace(one, fixed=True) for one in find({key: value}, at)]
        telling.all(found, ())
        if len(self._unnamed_said) < _FEW and _is_small({key: value}):
            self._unnamed_said[of] = value

    def _choice(self, telling: Telling, made: Json, spot: Path) -> None:
        place = index(made)
        choice = self._choices.get(place)
        if choice is None:
            if place >= self._most_choices:
                raise WireFormatError("a choice that nobody asked for")
            choice = self._choices[place] = ChatChoice()
        finish: object = None
        for key, value in made.items():
            if value is None or key == "index":
                continue
            if key == "logprobs":
                self._logprobs(telling, made, spot)
                continue
            if key == "delta" and type(value) is dict:
                path = ("choices", place, "message")
                delta = Delta(telling, choice, path, (*spot, "delta"), self._found)
                for name, said in value.items():
                    if said is not None:
                        delta.field(name, said)
                continue
            if key in ("delta", "message"):
                raise WireFormatError("a whole message in a stream of pieces")
            finish = value if key == "finish_reason" else finish
            if key not in _CHOICE.reads:
                self._unnamed(telling, (place, key), value)
            elif finish is not value or type(value) is not str or value not in _FINISHES:
                at = Place(path=("choices", place), role="assistant", reads=_CHOICE)
                self._found(telling, {key: value}, at, spot)
        if finish:
            telling.closes += choice.close()
            choice.is_over = True

    def _logprobs(self, telling: Telling, made: Json, spot: Path) -> None:
        """They are of what this chunk says. Others are left out: before or behind the text that
        they are of, they could tell a part of what is found in it."""
        delta = made.get("delta")
        pieces = delta if isinstance(delta, dict) else {}
        said = {name: text if isinstance(text := pieces.get(name), str) else "" for name in _TOLD}
        found = unsaid(made["logprobs"], said, self._alternatives)
        if not found:
            return
        if not found.is_like:
            raise WireFormatError("log-probabilities of another form")
        if not found.agrees:
            telling.drops.append((*spot, "logprobs"))
            return
        path = ("choices", made["index"], "logprobs", 2)
        part = Part(text=found.others, role="assistant", path=path)
        telling.aside(part, (*spot, "logprobs", 2))

    def _open_parts(self) -> Iterable[int]:
        return [part for choice in self._choices.values() for part in choice.close()]

    # -- writing -----------------------------------------------------------------------------

    def _moved(self, data: Json) -> Json | None:
        """Without what points into a text that is another now."""
        choices = data.get("choices")
        if not self._is_changed or not choices:
            return data
        left = [self._without_pointers(choice) for choice in choices]
        same = all(new is old for new, old in zip(left, choices, strict=True))
        return data if same else {**data, "choices": left}

    def _without_pointers(self, made: Json) -> Json:
        delta = made.get("delta")
        if self._choices[made["index"]].is_changed and delta and delta.get("annotations"):
            return {**made, "delta": without(delta, "annotations")}
        return made

    def _settled(self, data: Json, changed: Iterable[Path]) -> Json | None:
        data.pop("obfuscation", None)
        for path in changed:
            if path[0] != "choices" or len(path) < 3:
                continue
            made = data["choices"][path[1]]
            self._is_changed = self._choices[made["index"]].is_changed = True
            if made.get("logprobs"):
                made["logprobs"] = None
            if path[2] == "delta" and len(path) == 4 and made["delta"][path[3]] == "":
                del made["delta"][path[3]]
        says = any(map(_says, data.get("choices") or ()))
        return data if says or data.get("usage") or data.get("error") else None

    # -- what is at the client -----------------------------------------------------------------

    def _was_sent(self, event: StreamEvent, wording: Wording) -> None:
        data = wording.data
        self._client_begun = True
        for made in data.get("choices") or ():
            if not isinstance(made, dict) or not isinstance(made.get("index"), int):
                continue
            place, delta = made["index"], made.get("delta") or {}
            over = self._client_over.get(place, False)
            self._client_over[place] = over or bool(made.get("finish_reason"))
            for field in ("content", "refusal"):
                if delta.get(field):
                    self._client_field[place] = field

    def cut(self, text: str, *, released: bool) -> bytes:
        if self._is_over:
            return b""
        if not self._client_begun:
            reply = chat_completion(text, self._known)
            if self._declines:
                chat_declined(reply, text)
            return write_events(CHAT.emit(reply))
        return b"".join([*map(_frame, self._ending(text, released)), write_frame("", DONE)])

    def _ending(self, text: str, released: bool) -> Iterator[Json]:
        head = {
            "id": self._known.get("id") or "chatcmpl-guardrails",
            "object": "chat.completion.chunk",
            "created": self._known.get("created") or 0,
            "model": self._known.get("model") or "",
        }
        reason = "stop" if self._declines else "content_filter"
        going = [place for place in self._choices if not self._client_over.get(place)]
        for place in going or [0]:
            last = self._client_field.get(place)
            field = "refusal" if self._declines or last == "refusal" else "content"
            apart = released and last == field and text != ""
            delta: Json = {field: PARAGRAPH + text if apart else text}
            first = delta if place in self._client_over else {"role": "assistant", **delta}
            for said, finish in ((first, None), ({}, reason)):
                made = {"index": place, "delta": said, "logprobs": None, "finish_reason": finish}
                yield {**head, "choices": [made]}

    def fail(self, status: int, message: str) -> bytes:
        return _frame(openai_error(status, message))


def _choices_asked(asked: Json) -> int:
    """How many replies there may be. Whoever asked for one may well read them as one."""
    if "messages" not in asked:
        return MOST_PLACES
    number = asked.get("n")
    return int(number) if isinstance(number, int | float) and number > 1 else 1


def _is_short(value: object) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and len(value) < _SHORT)


def _is_small(value: object) -> bool:
    """Whether it is little to remember; what is not is told each time."""
    waiting, count, characters = [value], 0, 0
    while waiting:
        one = waiting.pop()
        count += 1
        if isinstance(one, str):
            characters += len(one)
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            waiting += [*one, *one.values()]
        if count + len(waiting) > _FEW or characters > _LONG:
            return False
    return True


def _says(choice: Json) -> bool:
    """Whether anything is left in a choice of a chunk."""
    return bool(choice.get("finish_reason")) or any((choice.get("delta") or {}).values())


def _frame(data: Json) -> bytes:
    return write_frame("", dump_json(data).decode())
