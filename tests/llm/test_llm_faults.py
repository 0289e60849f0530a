"""Promise 2: whatever goes wrong at a provider is an outage, a rejection, a time-out or an answer
that says how it ended. Never an answer that could be taken for one."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from aiohttp import web
from llm_samples import KINDS, Kind, asked, asking, question, serving

from guardrails.llm.endpoint import Retries
from guardrails.llm.protocol import ModelOutageError, ModelRejectionError, Stop
from guardrails.testing import FakeProvider
from guardrails.testing.provider import Fault, fault, faults

TIMED_OUT = ("never-answers", "stall-mid-body")
REJECTED = ("status-400", "status-413", "status-422")
AWAY_AT_ONCE = ("status-401", "status-403", "status-404")
ENDS: dict[str, Stop] = {
    "slow-drip": "finished",
    "wrong-content-type": "finished",
    "cut-off-json": "finished",  # the caller reads the text, and the schema, for itself
    "wrong-schema": "finished",
    "unknown-block": "finished",
    "refusal": "refused",
    "content-filter": "refused",
    "max-tokens": "cut_off",
    "empty-content": "cut_off",
    "empty-text": "cut_off",
}
OUTAGES = [
    each for each in faults() if each.name not in (*TIMED_OUT, *REJECTED, *AWAY_AT_ONCE, *ENDS)
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", REJECTED)
async def test_2_what_the_text_may_have_brought_about_is_a_rejection(kind: Kind, name: str) -> None:
    async with FakeProvider(fault(name)) as provider, asking(kind, provider) as made:
        with pytest.raises(ModelRejectionError) as raised:
            await made.model.ask(question(), timeout_s=20)
        assert raised.value.status == fault(name).status
        assert provider.requests.total == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", AWAY_AT_ONCE)
async def test_2_a_wrong_key_or_model_is_an_outage_at_once(kind: Kind, name: str) -> None:
    async with FakeProvider(fault(name)) as provider, asking(kind, provider) as made:
        with pytest.raises(ModelOutageError) as raised:
            await made.model.ask(question(), timeout_s=20)
        assert raised.value.status == fault(name).status
        assert provider.requests.total == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trouble", OUTAGES, ids=str)
async def test_2_trouble_of_the_endpoint_is_an_outage_after_retries(
    kind: Kind, trouble: Fault
) -> None:
    async with FakeProvider(trouble) as provider, asking(kind, provider) as made:
        with pytest.raises(ModelOutageError, match="after 3 attempts") as raised:
            await made.model.ask(question(), timeout_s=20)
        assert provider.requests.total == 3
        if trouble.status != 200:
            assert raised.value.status == trouble.status
        asked_for = trouble.retry_after_s
        if asked_for is None:
            assert made.waits.told == [0.5, 1.0]
        else:
            assert made.waits.told == pytest.approx(
                [asked_for] * 2, abs=1.1
            )  # dates: whole seconds


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", TIMED_OUT)
async def test_2_no_answer_in_time_is_a_time_out_and_no_outage(kind: Kind, name: str) -> None:
    async with FakeProvider(fault(name)) as provider, asking(kind, provider) as made:
        made.model.prepare()
        with pytest.raises(TimeoutError, match=r"no answer in 0\.3 s"):
            await made.model.ask(question(), timeout_s=0.3)
        assert made.endpoint.breaker.state == "closed"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ENDS)
async def test_2_an_answer_says_how_it_ended(kind: Kind, name: str) -> None:
    async with FakeProvider(fault(name)) as provider, asking(kind, provider) as made:
        answer = await made.model.ask(question(), timeout_s=20)
        assert answer.stop == ENDS[name]
        assert bool(answer.text) or answer.stop != "finished"
        assert not answer.text or answer.stop != "refused"


@pytest.mark.parametrize("kind", KINDS)
async def test_2_nobody_listening_is_an_outage(kind: Kind) -> None:
    async with FakeProvider() as gone:
        url = gone.openai_url
    made = asked(kind, url)
    with pytest.raises(ModelOutageError, match="no connection"):
        await made.model.ask(question(), timeout_s=20)
    await made.model.aclose()


@pytest.fixture
def nobody_home() -> Iterator[str]:
    """An address where a connection is asked for and never made: its queue is full."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        for each in waiting:
            each.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_2_no_connection_in_time_is_an_outage_and_no_time_out(
    kind: Kind, nobody_home: str
) -> None:
    made = asked(kind, nobody_home, retries=Retries(times=1), connect_s=0.1)
    with pytest.raises(ModelOutageError, match="no connection in time after 2 attempts"):
        await made.model.ask(question(), timeout_s=20)
    await made.model.aclose()


@pytest.mark.parametrize("kind", KINDS)
async def test_2_a_rejection_whose_body_breaks_off_is_still_one(kind: Kind) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=400, headers={"content-length": "1000"})
        await response.prepare(request)
        await response.write(b'{"error": ')
        assert request.transport is not None
        request.transport.close()
        return response

    async with serving(handler) as url:
        made = asked(kind, url)
        with pytest.raises(ModelRejectionError, match="answered 400"):
            await made.model.ask(question(), timeout_s=20)
        await made.model.aclose()


@pytest.mark.parametrize("kind", KINDS)
async def test_errors_leave_the_connection_to_be_used_again(kind: Kind) -> None:
    connections = set()

    async def handler(request: web.Request) -> web.StreamResponse:
        connections.add(request.transport)
        return web.json_response({"error": {"message": "No."}}, status=429)

    async with serving(handler) as url:
        made = asked(kind, url)
        with pytest.raises(ModelOutageError, match="after 3 attempts"):
            await made.model.ask(question(), timeout_s=20)
        await made.model.aclose()
    assert len(connections) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_trouble_that_passes_is_not_seen(kind: Kind) -> None:
    script = [fault("status-529"), fault("reset-before-headers"), {"answer": "forty-two"}]
    async with FakeProvider(script) as provider, asking(kind, provider) as made:
        answer = await made.model.ask(question(), timeout_s=20)
    assert (answer.text, answer.stop, answer.attempts) == ('{"answer": "forty-two"}', "finished", 3)


def test_every_fault_of_the_provider_has_its_place_in_a_table() -> None:
    named = {*TIMED_OUT, *REJECTED, *AWAY_AT_ONCE, *ENDS}
    assert named <= {each.name for each in faults()}
    assert len(OUTAGES) > 20
