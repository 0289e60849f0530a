"""Every kind of function, held to a constitution: what goes in and out, and what is recorded."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from guarded_samples import REPLY, Records

from guardrails.decorator import guarded
from guardrails.guard import Guard
from guardrails.verdict import Blocked, Decision

Ask = Callable[[str], Any]
Calls = list[str]


def coroutine(answer: str, calls: Calls) -> Callable[..., Any]:
    async def ask(question: str) -> str:
        calls.append(question)
        await asyncio.sleep(0)
        return answer

    return ask


def function(answer: str, calls: Calls) -> Callable[..., Any]:
    def ask(question: str) -> str:
        calls.append(question)
        return answer

    return ask


def async_generator(answer: str, calls: Calls) -> Callable[..., Any]:
    async def ask(question: str) -> AsyncIterator[str]:
        calls.append(question)
        for letter in answer:
            await asyncio.sleep(0)
            yield letter

    return ask


def generator(answer: str, calls: Calls) -> Callable[..., Any]:
    def ask(question: str) -> Iterator[str]:
        calls.append(question)
        yield from answer

    return ask


def partial(answer: str, calls: Calls) -> Callable[..., Any]:
    async def ask(style: str, question: str) -> str:
        calls.append(question)
        return answer

    return functools.partial(ask, "plain")


class Asker:
    def __init__(self, answer: str, calls: Calls) -> None:
        self.answer, self.calls = answer, calls

    async def __call__(self, question: str) -> str:
        self.calls.append(question)
        return self.answer


def passed_on(answer: str, calls: Calls) -> Callable[..., Any]:
    """A plain function by its looks, as careless decorators leave it; it returns an awaitable."""
    inner = coroutine(answer, calls)

    @functools.wraps(inner)
    def ask(*args: Any, **kwargs: Any) -> Awaitable[str]:
        return inner(*args, **kwargs)  # type: ignore[no-any-return]

    return ask


KINDS: dict[str, Callable[[str, Calls], Callable[..., Any]]] = {
    "coroutine": coroutine,
    "function": function,
    "async generator": async_generator,
    "generator": generator,
    "partial": partial,
    "callable": Asker,
}


async def outcome(ask: Ask, question: str) -> str:
    """The text that a caller of any kind of function gets."""
    given = ask(question)
    if hasattr(given, "__aiter__"):
        return "".join([piece async for piece in given])
    if inspect.isawaitable(given):
        given = await given
    return "".join(given)


def told(kind: str, ask: Ask, question: str) -> str:
    """As `outcome`, with no loop running where the function itself needs none."""
    if kind in ("function", "generator"):
        return "".join(ask(question))
    return asyncio.run(outcome(ask, question))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("question", "answer", "given", "how"),
    [
        (
            "hello",
            "good day",
            "good day",
            [("input", "allow", "judged"), ("output", "allow", "judged")],
        ),
        (
            "oddly",
            "oddly good",
            "oddly good",
            [("input", "flag", "judged"), ("output", "flag", "judged")],
        ),
        (
            "hello",
            "the secret word",
            "the  word",
            [("input", "allow", "judged"), ("output", "redact", "judged")],
        ),
        (
            "hello",
            "Well. I promise you a car. Bye.",
            "Well. Please ask a person. Bye.",
            [("input", "allow", "judged"), ("output", "revise", "judged")],
        ),
        (
            "hello",
            "a forbidden word",
            REPLY,
            [("input", "allow", "judged"), ("output", "block", "reply")],
        ),
        ("a forbidden word", "never", REPLY, [("input", "block", "reply")]),
    ],
    ids=["allow", "flag", "redact", "revise", "block", "blocked-input"],
)
def test_promise_1_what_a_caller_gets_is_what_the_record_says(
    kind: str,
    question: str,
    answer: str,
    given: str,
    how: list[tuple[str, str, str]],
    guard: Guard,
    records: Records,
) -> None:
    calls: Calls = []
    ask = guarded(guard)(KINDS[kind](answer, calls))
    assert told(kind, ask, question) == given
    assert records.how() == how
    assert calls == ([question] if len(how) == 2 else [])


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_gets_the_redacted_prompt(kind: str, guard: Guard, records: Records) -> None:
    calls: Calls = []
    ask = guarded(guard)(KINDS[kind]("good day", calls))
    assert told(kind, ask, "my secret is this") == "good day"
    assert len(calls) == 1
    assert "secret" not in calls[0]
    assert records.how()[0] == ("input", "redact", "judged")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("question", "stage"), [("forbidden", "input"), ("hello", "output")], ids=["input", "output"]
)
def test_blocked_can_be_raised(
    kind: str, question: str, stage: str, guard: Guard, records: Records
) -> None:
    ask = guarded(guard, on_block="raise")(KINDS[kind]("forbidden", []))
    with pytest.raises(Blocked) as caught:
        told(kind, ask, question)
    assert caught.value.decision.stage == stage
    assert records.how()[-1] == (stage, "block", "nothing")


def plainly(decision: Decision) -> str:
    return f"stopped at {decision.stage}"


async def awaited(decision: Decision) -> str:
    await asyncio.sleep(0)
    return plainly(decision)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("on_block", [plainly, awaited])
def test_an_application_can_answer_itself(
    kind: str, on_block: Callable[[Decision], Any], guard: Guard, records: Records
) -> None:
    ask = guarded(guard, on_block=on_block)(KINDS[kind]("forbidden", []))
    assert told(kind, ask, "hello") == "stopped at output"
    assert records.how()[-1] == ("output", "block", "application_reply")


@pytest.mark.parametrize("kind", KINDS)
def test_decisions_are_told(kind: str, guard: Guard) -> None:
    decisions: list[Decision] = []
    ask = guarded(guard, on_decision=decisions.append)(KINDS[kind]("good day", []))
    told(kind, ask, "oddly")
    assert [str(d.verdict) for d in decisions] == ["flag", "allow"]
    assert all(d.record_id for d in decisions)


@pytest.mark.parametrize("kind", ["function", "generator"])
async def test_a_plain_function_works_under_a_loop_and_warns_once(kind: str, guard: Guard) -> None:
    ask = guarded(guard)(KINDS[kind]("good day", []))
    with pytest.warns(RuntimeWarning, match="async def"):
        assert await outcome(ask, "hello") == "good day"
    assert await outcome(ask, "hello") == "good day"


@pytest.mark.parametrize("kind", ["coroutine", "async generator", "partial", "callable"])
async def test_many_calls_at_once_do_not_mix(kind: str, guard: Guard, records: Records) -> None:
    calls: Calls = []
    ask = guarded(guard)(KINDS[kind]("good day", calls))
    questions = [f"question {number}" for number in range(20)] + ["forbidden"]
    answers = await asyncio.gather(*(outcome(ask, question) for question in questions))
    assert answers == ["good day"] * 20 + [REPLY]
    assert sorted(calls) == sorted(questions[:-1])
    assert len(records.how()) == 41


async def test_what_a_plain_function_promises_is_judged_when_it_comes(
    guard: Guard, records: Records
) -> None:
    ask = guarded(guard)(passed_on("a secret", []))
    with pytest.warns(RuntimeWarning, match="async def"):
        coming = ask("hello")
    assert await coming == "a "
    assert records.how() == [("input", "allow", "judged"), ("output", "redact", "judged")]


class Assistant:
    def __init__(self, calls: Calls) -> None:
        self.calls = calls


def test_methods_of_all_sorts(guard: Guard) -> None:
    class Helper:
        @guarded(guard)
        def method(self, question: str) -> str:
            return f"secret {type(self).__name__}"

        @guarded(guard)
        @classmethod
        def outer_class(cls, question: str) -> str:
            return f"secret {cls.__name__}"

        @classmethod
        @guarded(guard)
        def inner_class(cls, question: str) -> str:
            return f"secret {cls.__name__}"

        @guarded(guard)
        @staticmethod
        def outer_static(question: str) -> str:
            return "secret static"

        @staticmethod
        @guarded(guard)
        def inner_static(question: str) -> str:
            return "secret static"

    helper = Helper()
    assert helper.method("hello") == " Helper"
    assert Helper.outer_class("hello") == Helper.inner_class("hello") == " Helper"
    assert helper.outer_static("hello") == Helper.inner_static("hello") == " static"
    assert guarded(guard)(helper.method)("hello") == " Helper"


@pytest.mark.parametrize("kind", KINDS)
def test_two_guards_both_judge(kind: str, guard: Guard, records: Records) -> None:
    calls: Calls = []
    ask = guarded(guard)(guarded(guard)(KINDS[kind]("a secret", calls)))
    assert told(kind, ask, "hello") == "a "
    assert records.how() == [
        ("input", "allow", "judged"),
        ("input", "allow", "judged"),
        ("output", "redact", "judged"),
        ("output", "allow", "judged"),
    ]
    assert calls == ["hello"]


async def test_two_guards_warn_once(guard: Guard) -> None:
    ask = guarded(guard)(guarded(guard)(function("good day", [])))
    with pytest.warns(RuntimeWarning) as warned:
        ask("hello")
    assert len(warned) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_keeps_its_looks(kind: str, guard: Guard) -> None:
    plain = KINDS[kind]("good day", [])
    plain.__doc__ = "What it does."
    held = guarded(guard)(plain)
    assert inspect.signature(held) == inspect.signature(plain)
    assert held.__doc__ == "What it does."
    assert inspect.isasyncgenfunction(held) == (kind == "async generator")
    assert inspect.isgeneratorfunction(held) == (kind == "generator")
    assert inspect.iscoroutinefunction(held) == (kind in ("coroutine", "partial", "callable"))
    assert getattr(held, "__name__", None) is not None


def test_wrong_arguments_are_a_type_error_as_ever(guard: Guard, records: Records) -> None:
    ask = guarded(guard)(function("good day", []))
    with pytest.raises(TypeError, match="question"):
        ask()
    assert records.how() == []
