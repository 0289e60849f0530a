"""Retries stay within the caller's time and obey what the endpoint asks for."""

from __future__ import annotations

import asyncio
from email.utils import formatdate

import pytest
from llm_samples import KINDS, Kind, Waits, asked, asking, question

from guardrails.errors import SettingsError
from guardrails.llm.attempts import Failed, asked_wait, refused
from guardrails.llm.breaker import Breaker
from guardrails.llm.endpoint import Called, Endpoint, Retries
from guardrails.llm.protocol import ModelOutageError, ModelRejectionError
from guardrails.testing import FakeProvider, FixedClock
from guardrails.testing.provider import api_error, fault

BUSY = Failed(kind="status", why="answered 529", status=529)


class Script:
    """Attempts that end as they are told to, the last one again and again."""

    def __init__(self, *ends: Failed | str, takes_s: float = 0.0) -> None:
        self.ends, self.made, self.takes_s = list(ends), 0, takes_s
        self.clock = FixedClock()
        self.waits = Waits(self.clock)
        self.endpoint = Endpoint(
            "house",
            base_url="http://127.0.0.1:1",
            breaker=Breaker(clock=self.clock),
            clock=self.clock,
            sleep=self.waits,
            chance=lambda: 0.0,
        )
        self.left: list[float] = []

    async def attempt(self, left_s: float) -> str | Failed:
        self.left.append(left_s)
        self.clock.move(self.takes_s)
        end = self.ends[min(self.made, len(self.ends) - 1)]
        self.made += 1
        return end

    async def call(self, timeout_s: float = 20, **retries: float) -> Called[str]:
        return await self.endpoint.call(
            self.attempt,
            asking="house/small",
            timeout_s=timeout_s,
            retries=Retries(**retries),  # type: ignore[arg-type]
        )


async def test_waits_double_up_to_the_longest() -> None:
    script = Script(BUSY)
    with pytest.raises(ModelOutageError, match=r"^house/small: answered 529 after 6 attempts$"):
        await script.call(times=5, first_s=1, longest_s=5)
    assert script.waits.told == [1, 2, 4, 5, 5]


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 0.5), (1.0, 0.375)])
async def test_chance_shortens_a_wait_by_up_to_a_quarter(chance: float, wait: float) -> None:
    script = Script(BUSY, "answer")
    script.endpoint._chance = lambda: chance
    assert (await script.call()).attempts == 2
    assert script.waits.told == [wait]


async def test_10_a_wait_that_does_not_fit_into_the_time_is_not_begun() -> None:
    script = Script(BUSY, takes_s=1.0)
    with pytest.raises(ModelOutageError, match="after 2 attempts"):
        await script.call(timeout_s=3.0, times=9)
    assert script.waits.told == [0.5]
    assert script.left == [3.0, 1.5]
    assert script.clock() <= 3.0


@pytest.mark.parametrize("asked_for", [19.5, 60.0, 1e9])
async def test_10_who_asks_for_more_than_the_time_left_is_not_waited_for(asked_for: float) -> None:
    script = Script(refused(429, {"retry-after": str(asked_for)}), takes_s=1.0)
    with pytest.raises(ModelOutageError, match="answered 429"):
        await script.call(timeout_s=20)
    assert script.waits.told == []


async def test_nor_is_who_asks_for_more_patience_than_there_is() -> None:
    script = Script(refused(429, {"retry-after": "5"}))
    with pytest.raises(ModelOutageError, match="answered 429"):
        await script.call(patience_s=2)
    assert script.made == 1


@pytest.mark.parametrize(
    ("status", "said", "made"),
    [(529, "false", 1), (400, "true", 3), (401, "TRUE", 3), (500, "maybe", 3)],
)
async def test_x_should_retry_goes_before_the_status(status: int, said: str, made: int) -> None:
    script = Script(refused(status, {"x-should-retry": said}))
    with pytest.raises((ModelOutageError, ModelRejectionError)):
        await script.call()
    assert script.made == made


NOW = 1_800_000_000.0
WAITS = {
    "seconds": ({"retry-after": "7"}, 7.0),
    "fractions": ({"retry-after": "0.25"}, 0.25),
    "milliseconds": ({"retry-after-ms": "250"}, 0.25),
    "milliseconds first": ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
    "seconds where those are nonsense": ({"retry-after": "7", "retry-after-ms": "x"}, 7.0),
    "a date": ({"retry-after": formatdate(NOW + 30, usegmt=True)}, 30.0),
    "a date of no zone": ({"retry-after": formatdate(NOW + 30)}, 30.0),
    "a date gone by": ({"retry-after": formatdate(NOW - 30, usegmt=True)}, 0.0),
    "nothing": ({}, None),
    "below nothing": ({"retry-after": "-1"}, None),
    "no number": ({"retry-after": "nan"}, None),
    "for ever": ({"retry-after": "inf"}, None),
    "words": ({"retry-after": "soon"}, None),
    "no date": ({"retry-after": "Wed, 99 Nov 2026 99:99:99 GMT"}, None),
    "a year too far": ({"retry-after": "Wed, 01 Jan 99999 00:00:00 GMT"}, None),
}


@pytest.mark.parametrize("what", WAITS)
def test_what_an_endpoint_asks_for(what: str) -> None:
    headers, seconds = WAITS[what]
    assert asked_wait(headers, now=lambda: NOW) == seconds


OUTAGES = (301, 304, 401, 402, 403, 404, 407, 408, 409, 410, 429, 500, 502, 503, 504, 529, 599)
DOUBTS = (400, 406, 411, 413, 414, 415, 422, 431, 451, 499)


@pytest.mark.parametrize("status", [*OUTAGES, *DOUBTS])
def test_2_a_status_is_an_outage_or_a_doubt(status: int) -> None:
    failed = refused(status, {})
    assert failed.is_outage is (status in OUTAGES)
    assert not (failed.is_passing and status in DOUBTS)


SLOW = Failed(kind="timed_out", why="no answer in time")


async def test_2_a_time_out_after_trouble_is_an_outage() -> None:
    script = Script(BUSY, SLOW)
    why = r"^house/small: answered 529, then no answer in time after 2 attempts$"
    with pytest.raises(ModelOutageError, match=why) as raised:
        await script.call()
    assert (raised.value.status, raised.value.unanswered) == (529, True)
    for _ in range(4):
        script.made = 0
        with pytest.raises(ModelOutageError, match="then no answer"):
            await script.call()
    assert script.endpoint.breaker.state == "open", "the trouble was real"


async def test_2_a_time_out_without_trouble_is_a_time_out() -> None:
    script = Script(SLOW)
    with pytest.raises(TimeoutError, match=r"^house/small: no answer in 20 s$"):
        await script.call()


async def test_2_a_rejection_after_trouble_is_a_doubt() -> None:
    script = Script(BUSY, Failed(kind="status", why="answered 422", status=422))
    with pytest.raises(ModelRejectionError, match="answered 422"):
        await script.call()


@pytest.mark.parametrize("timeout_s", [0.0, -1.0])
async def test_10_without_time_nothing_is_asked(timeout_s: float) -> None:
    script = Script("answer")
    with pytest.raises(TimeoutError):
        await script.call(timeout_s=timeout_s)
    assert script.made == 0


async def test_2_what_could_not_be_sent_is_a_doubt() -> None:
    script = Script(Failed(kind="unsendable", why="not sent (TypeError)"))
    with pytest.raises(ModelRejectionError) as raised:
        await script.call()
    assert raised.value.status is None
    assert script.made == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_retry_comes_when_the_endpoint_said(kind: Kind) -> None:
    script = [
        api_error(429, retry_after_s=3),
        api_error(529, retry_after_s=0.25, retry_after_as="ms"),
        {"answer": "forty-two"},
    ]
    async with FakeProvider(script) as provider, asking(kind, provider) as made:
        answer = await made.model.ask(question(), timeout_s=20)
    assert answer.attempts == 3
    assert made.waits.told == [3.0, 0.25]


@pytest.mark.parametrize("kind", KINDS)
async def test_2_an_open_circuit_is_an_outage_without_a_request(kind: Kind) -> None:
    script = [fault("status-503")] * 2 + [{"answer": "forty-two"}]
    async with (
        FakeProvider(script) as provider,
        asking(kind, provider, threshold=2, retries=Retries(times=0)) as made,
    ):
        for _ in range(2):
            with pytest.raises(ModelOutageError, match="answered 503"):
                await made.model.ask(question(), timeout_s=20)
        with pytest.raises(ModelOutageError, match="open circuit") as raised:
            await made.model.ask(question(), timeout_s=20)
        assert raised.value.status is None
        assert provider.requests.total == 2
        made.clock.move(60)
        assert (await made.model.ask(question(), timeout_s=20)).stop == "finished"
        assert made.endpoint.breaker.state == "closed"


@pytest.mark.parametrize("name", ["status-400", "status-401", "status-404", "never-answers"])
async def test_2_no_text_and_no_wrong_key_opens_the_circuit(name: str) -> None:
    async with (
        FakeProvider(fault(name)) as provider,
        asking("openai", provider, threshold=2) as made,
    ):
        for _ in range(3):
            with pytest.raises((ModelRejectionError, ModelOutageError, TimeoutError)):
                await made.model.ask(question(), timeout_s=0.2)
        assert made.endpoint.breaker.state == "closed"
        assert provider.requests.total == 3


async def test_others_retries_end_when_the_circuit_opens() -> None:
    script = Script(BUSY)
    leave = script.endpoint.breaker.admit()
    assert leave is not None
    for _ in range(4):
        leave.away()

    async def attempt(_: float) -> str | Failed:
        other = script.endpoint.breaker
        opened = other.admit()
        assert opened is not None
        assert opened.away()
        return BUSY

    with pytest.raises(ModelOutageError, match=r"answered 529$"):
        await script.endpoint.call(attempt, asking="house/small", timeout_s=20)
    assert script.waits.told == []


@pytest.mark.parametrize(
    "address",
    ["house", "ftp://house", "http://", "http://[house", "https://user:secret@house/v1"],
)
def test_an_address_that_cannot_be_asked_is_an_error_at_once(address: str) -> None:
    with pytest.raises(SettingsError, match="provider 'house'") as raised:
        Endpoint("house", base_url=address)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("key", ["", "sk-secret\n", "sk-sécret", "sk-secret\x00"])
def test_9_a_key_that_no_header_carries_is_an_error_that_does_not_tell_it(key: str) -> None:
    with pytest.raises(SettingsError, match="no header can carry") as raised:
        Endpoint("house", base_url="http://house", api_key=key)
    assert "cret" not in str(raised.value)


async def test_a_slot_is_free_again_while_a_retry_waits() -> None:
    made = asked("openai", "http://127.0.0.1:1", max_concurrency=1)
    running = 0

    async def attempt(_: float) -> str | Failed:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        running -= 1
        return BUSY

    calls = [made.endpoint.call(attempt, asking=str(n), timeout_s=20) for n in range(3)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(end) for end in done] == [ModelOutageError] * 3
