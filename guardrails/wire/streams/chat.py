"""OpenAI's chat completions as they come. Source: the SDK, 3.54."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from guardrails.errors import WireFormatError
from guardrails.exchange import Part, Path
from guardrails.wire.asked import alternatives_asked, is_as_asked
from guardrails.wire.event_replies import CHAT
from guardrails.wire.logprobs import unsaid
from guardrails.wire.place import Place
from guardrails.wire.refusals import chat_completion, chat_declined, known_of, openai_error
from guardrails.wire.shapes import CHAT_COMPLETION, CHAT_MESSAGE, Shape
from guardrails.wire.sse import DONE, write_events
from guardrails.wire.streams.chat_deltas import ChatChoice, Delta, says_nothing
from guardrails.wire.streams.event_reader import name_aside
from guardrails.wire.streams.frames import write_frame
from guardrails.wire.streams.json_events import JsonEventReader, Wording
from guardrails.wire.streams.model import StreamEvent
from guardrails.wire.streams.telling import MOST_PLACES, Json, Telling, index, without
from guardrails.wire.streams.text import PARAGRAPH
from guardrails.wire.strict_json import dump_json

__all__ = ["ChatReader"]

_END: Json = {}
"""Stands for the data that are no JSON."""

_TOP = Place(role="assistant", reads=CHAT_COMPLETION)
_CHOICE = cast("Shape", CHAT_COMPLETION.reads["choices"])
_FINISHES = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
_LAST = frozenset({"delta", "text", "content", "refusal"})
_TEXT: Path = ("", "text")
"""Among the texts of a choice, the one that stands beside its message."""

_TOLD = ("content", "refusal")
"""Fields of a message that log-probabilities tell again."""

_PADDING = frozenset({"obfuscation", "p"})
"""Fields that are as long as others are short. `p` is Mistral's."""

_SHORT = 200


class ChatReader(JsonEventReader):
    """Reads a stream of `POST /v1/chat/completions`. A choice ends where it says why."""

    def __init__(self, request: Json | None = None, *, declines: bool = False) -> None:
        super().__init__(request, declines=declines)
        self._head: Json = {}
        """What chunks said of the whole so far, for most of them say it again."""
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
            if key == "choices" or (value is None and says_nothing(key, CHAT_COMPLETION)):
                continue
            if value is not None and head.get(key) == value:
                continue
            if key in _PADDING:
                if value:
                    self._quiet(telling, data, key)
                continue
            if key in CHAT_COMPLETION.silent and is_as_asked(key, data, self._asked):
                continue
            if key not in CHAT_COMPLETION.reads:
                self._unnamed.tell(telling, (), key, value)
                continue
            before = len(telling.opens)
            self._found(telling, {key: value}, _TOP, ())
            if len(telling.opens) == before and _is_short(value):
                head[key] = value  # no text, which had to be told however often it is said
                self._known |= known_of({key: value})

    def _choice(self, telling: Telling, made: Json, spot: Path) -> None:
        place = index(made)
        choice = self._choices.get(place)
        if choice is None:
            if place >= self._most_choices:
                raise WireFormatError("a choice that nobody asked for")
            choice = self._choices[place] = ChatChoice()
        finish: object = None
        for key, value in sorted(made.items(), key=_is_of_message):
            if key == "index" or (value is None and (key == "delta" or says_nothing(key, _CHOICE))):
                continue
            if key == "logprobs":
                self._logprobs(telling, made, spot)
                continue
            if key == "delta" and type(value) is dict:
                path = ("choices", place, "message")
                delta = Delta(telling, choice, path, (*spot, "delta"), self._found)
                for name, said in sorted(value.items(), key=_is_of_message):
                    if said is not None or not says_nothing(name, CHAT_MESSAGE):
                        delta.field(name, said)
                continue
            if key in ("delta", "message"):
                raise WireFormatError("a whole message in a stream of pieces")
            if key == "text" and type(value) is str:
                self._text(telling, made, value, spot)
                continue
            finish = value if key == "finish_reason" else finish
            if key not in _CHOICE.reads:
                self._unnamed.tell(telling, ("choices", place), key, value)
            elif finish is not value or type(value) is not str or value not in _FINISHES:
                at = Place(path=("choices", place), role="assistant", reads=_CHOICE)
                self._found(telling, {key: value}, at, spot)
        if finish:
            telling.closes += choice.close()
            choice.is_over = True

    def _text(self, telling: Telling, made: Json, said: str, spot: Path) -> None:
        """Completions that are no chat's say here what they say; some vendors say the delta's
        content again."""
        place = made["index"]
        choice, delta = self._choices[place], made.get("delta")
        again = (delta.get("content") or "") if isinstance(delta, dict) else None
        if said == again and choice.text is None:
            choice.is_told_twice |= said != ""
            return
        if choice.is_told_twice or (said and (choice.is_over or _TEXT in choice.ended)):
            raise WireFormatError("a text beside another one")
        if choice.text is None and said:
            part = Part(text="", role="assistant", path=("choices", place, "text"))
            choice.text = choice.open[_TEXT] = telling.open(part)
        if choice.text is not None and said:
            telling.say(choice.text, said, (*spot, "text"))

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
        open = [part for choice in self._choices.values() for part in choice.close()]
        return open + self._unnamed.open_parts()

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
            if path[2:] == ("delta", "content") and self._choices[made["index"]].is_told_twice:
                made["text"] = made["delta"]["content"]
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
            for field in _TOLD:
                if delta.get(field):
                    self._client_field[place] = field
            if made.get("text") and not delta:
                self._client_field[place] = "text"

    def cut(self, text: str, *, released: bool) -> bytes:
        if self._is_over:
            return b""
        if not self._client_begun and not self._is_plain():
            reply = chat_completion(text, self._known)
            if self._declines:
                chat_declined(reply, text)
            return write_events(CHAT.emit(reply))
        return b"".join([*map(_frame, self._ending(text, released)), write_frame("", DONE)])

    def _is_plain(self) -> bool:
        """Whether it is a completion that is no chat's."""
        return any(choice.text is not None for choice in self._choices.values())

    def _ending(self, text: str, released: bool) -> Iterator[Json]:
        is_plain = self._is_plain()
        head = {
            "id": self._known.get("id") or "chatcmpl-guardrails",
            "object": "text_completion" if is_plain else "chat.completion.chunk",
            "created": self._known.get("created") or 0,
            "model": self._known.get("model") or "",
        }
        reason = "stop" if self._declines else "content_filter"
        going = [place for place in self._choices if not self._client_over.get(place)]
        for place in going or [0]:
            last = self._client_field.get(place)
            if is_plain:
                said = PARAGRAPH + text if released and last == "text" and text else text
                made = {"index": place, "text": said, "logprobs": None, "finish_reason": reason}
                yield {**head, "choices": [made]}
                continue
            field = "refusal" if self._declines or last == "refusal" else "content"
            apart = released and last == field and text != ""
            first: Json = {field: PARAGRAPH + text if apart else text}
            if place not in self._client_over:
                first = {"role": "assistant", **first}
            for delta, finish in ((first, None), ({}, reason)):
                made = {"index": place, "delta": delta, "logprobs": None, "finish_reason": finish}
                yield {**head, "choices": [made]}

    def fail(self, status: int, message: str) -> bytes:
        return _frame(openai_error(status, message))


def _is_of_message(field: tuple[str, object]) -> bool:
    """What is opened behind a text is judged once that one has ended: so texts come last."""
    return field[0] in _LAST


def _choices_asked(asked: Json) -> int:
    """How many replies there may be. Whoever asked for one may well read them as one."""
    if "messages" not in asked:
        return MOST_PLACES
    number = asked.get("n")
    return int(number) if isinstance(number, int | float) and number > 1 else 1


def _is_short(value: object) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and len(value) < _SHORT)


def _says(choice: Json) -> bool:
    """Whether anything is left in a choice of a chunk."""
    said = (choice.get("finish_reason"), choice.get("text"), *(choice.get("delta") or {}).values())
    return any(said)


def _frame(data: Json) -> bytes:
    return write_frame("", dump_json(data).decode())
