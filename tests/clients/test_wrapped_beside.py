"""`concurrent_input`: the prompt is judged while the model works, and nothing gets out before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from wrapped_samples import (
    FACES,
    JUDGED,
    REPLY,
    Face,
    Records,
    close,
    constitution,
    refusal_of,
    spoken,
)

from guardrails import wrap
from guardrails.critic.protocol import CriticFinding, Critique, CritiqueRequest
from guardrails.errors import AuditError, SettingsError
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.testing import (
    FakeProvider,
    api_error,
    breaching,
    passing,
    scripted_critic,
)
from guardrails.verdict import Stage

ASYNC = [name for name, face in FACES.items() if face.is_async]
Judges = Callable[[CritiqueRequest], Any]


class House:
    """A judge that waits for its cue, and a model that does."""

    def __init__(self, folder: Path) -> None:
        self.asked, self.answering = asyncio.Event(), asyncio.Event()
        self.judging, self.judge_may = asyncio.Event(), asyncio.Event()
        self.model_may = asyncio.Event()
        self.model_may.set()
        self.rules = JUDGED
        self.folder, self.records = folder, Records()
        self.word: Judges = passing
        self.said: Any = "A teapot."
        self.left = asyncio.Event()

    async def model(self, _: object) -> Any:
        self.asked.set()
        try:
            await self.model_may.wait()
        except asyncio.CancelledError:
            self.left.set()
            raise
        return self.said

    async def judge(self, request: CritiqueRequest) -> Critique:
        if request.stage is not Stage.INPUT:
            return passing(request)
        self.judging.set()
        await self.judge_may.wait()
        found: Critique = self.word(request)
        return found

    def client(self, face: Face, fake: FakeProvider, **options: Any) -> Any:
        file = self.folder / "house.yaml"
        file.write_text(constitution(self.rules))
        guard = Guard.load(
            file,
            critics=[scripted_critic(self.judge)],
            trail=options.pop("trail", self.records),
            settings=Settings(audit="memory"),
        )
        return wrap(face.client(fake, **options), guard, concurrent_input=True)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture(params=ASYNC)
async def face(request: pytest.FixtureRequest) -> AsyncIterator[Face]:
    before = asyncio.all_tasks()
    yield FACES[request.param]
    for _ in range(20):
        await asyncio.sleep(0)
    here = {asyncio.current_task()}
    assert asyncio.all_tasks() - before - here == set()


async def test_judge_and_model_work_at_the_same_time(face: Face, house: House) -> None:
    async with FakeProvider(house.model) as fake:
        client = house.client(face, fake)
        house.model_may.clear()
        asking = asyncio.ensure_future(face.ask(client))
        await asyncio.gather(house.asked.wait(), house.judging.wait())
        house.judge_may.set()
        house.model_may.set()
        assert face.text(await asking) == "A teapot."
        await close(client)
    assert house.records.how() == [("input", "allow", "judged"), ("output", "allow", "judged")]


async def test_nothing_gets_out_before_the_word(face: Face, house: House) -> None:
    async with FakeProvider(house.model) as fake:
        client = house.client(face, fake)
        asking = asyncio.ensure_future(face.ask(client))
        await house.asked.wait()
        await asyncio.wait([asking], timeout=0.1)
        assert not asking.done()
        house.word = breaching("house.kind")
        house.judge_may.set()
        reply = await asking
        await close(client)
    assert face.text(reply) == REPLY
    assert house.records.how() == [("input", "block", "reply")]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_blocked_question_calls_off_the_model(
    streamed: bool, face: Face, house: House
) -> None:
    async with FakeProvider(house.model) as fake:
        client = house.client(face, fake)
        house.model_may.clear()
        house.word = breaching("house.kind")
        asking = asyncio.ensure_future(face.events(client) if streamed else face.ask(client))
        await house.asked.wait()
        house.judge_may.set()
        reply = await asking
        assert REPLY in str(reply)
        if not streamed:
            assert face.refusal(reply) == refusal_of(face)
        await asyncio.wait_for(house.left.wait(), 5)
        await close(client)
    assert house.records.how() == [("input", "block", "reply")]


async def test_what_needs_no_model_is_hidden_before_it_is_sent(face: Face, house: House) -> None:
    house.judge_may.set()
    async with FakeProvider(house.model) as fake:
        client = house.client(face, fake)
        await face.ask(client, "Is the secret safe?")
        assert spoken(fake) == ["Is the  safe?"]
        await close(client)
    assert house.records.how()[0] == ("input", "redact", "judged")


async def test_what_needs_no_model_to_be_blocked_is_never_sent(face: Face, house: House) -> None:
    house.rules = JUDGED.replace("action: redact", "action: block")
    house.judge_may.set()
    async with FakeProvider(house.model) as fake:
        client = house.client(face, fake)
        assert face.text(await face.ask(client, "Is the secret safe?")) == REPLY
        assert len(fake.requests) == 0
        await close(client)
    assert house.records.how() == [("input", "block", "reply")]


async def test_words_that_only_the_judge_takes_out_are_asked_again_without_them(
    face: Face, house: House
) -> None:
    house.rules = JUDGED.replace("action: block", "action: redact")

    def word(request: CritiqueRequest) -> Critique:
        at = request.targets[0].text.find("rude")
        if at < 0:
            return passing(request)
        return Critique(
            looked=frozenset(request.asked),
            verdicts=dict.fromkeys(request.asked, "breach"),
            findings=(
                CriticFinding(
                    principle="house.kind",
                    value="breach",
                    part=request.targets[0].part,
                    span=(at, at + 4),
                ),
            ),
        )

    house.word = word
    async with FakeProvider(house.model) as fake:
        client = house.client(face, fake)
        asking = asyncio.ensure_future(face.ask(client, "You rude thing"))
        await house.asked.wait()
        house.judge_may.set()
        assert face.text(await asking) == "A teapot."
        assert spoken(fake) == ["You rude thing", "You  thing"]
        await close(client)
    assert house.records.how() == [("input", "redact", "judged"), ("output", "allow", "judged")]


@pytest.mark.parametrize("blocked", [False, True])
async def test_an_error_of_the_provider_waits_for_the_word(
    blocked: bool, face: Face, house: House
) -> None:
    house.said = api_error(500)
    house.word = breaching("house.kind") if blocked else passing
    async with FakeProvider(house.model) as fake:
        client = house.client(face, fake)
        asking = asyncio.ensure_future(face.ask(client))
        await house.asked.wait()
        await asyncio.wait([asking], timeout=0.1)
        house.judge_may.set()
        if blocked:
            assert face.text(await asking) == REPLY
        else:
            with pytest.raises(Exception, match="500"):
                await asking
        await close(client)
    how = "reply" if blocked else "judged"
    assert [found for *_, found in house.records.how()] == [how]


async def test_a_caller_who_leaves_calls_off_both(face: Face, house: House) -> None:
    async with FakeProvider(house.model) as fake:
        client = house.client(face, fake)
        house.model_may.clear()
        asking = asyncio.ensure_future(face.ask(client))
        await asyncio.gather(house.asked.wait(), house.judging.wait())
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(house.left.wait(), 5)
        await close(client)
    assert house.records.how() == []


async def test_without_a_record_nothing_gets_out(face: Face, house: House) -> None:
    class Failing(Records):
        async def open(self, record: Any) -> None:
            raise AuditError("the disk is full")

    async with FakeProvider(house.model) as fake:
        client = house.client(face, fake, trail=Failing())
        house.model_may.clear()
        asking = asyncio.ensure_future(face.ask(client))
        await house.asked.wait()
        house.judge_may.set()
        with pytest.raises(AuditError):
            await asking
        await close(client)


async def test_a_retried_call_is_judged_once(face: Face, house: House) -> None:
    again = api_error(429, retry_after_s=0.001, retry_after_as="ms")
    house.judge_may.set()
    async with FakeProvider([again, again, "A teapot."]) as fake:
        client = house.client(face, fake, max_retries=2)
        assert face.text(await face.ask(client)) == "A teapot."
        assert len(fake.requests) == 3
        await close(client)
    assert [stage for stage, *_ in house.records.how()] == ["input", "output"]


@pytest.mark.parametrize("name", [name for name, face in FACES.items() if not face.is_async])
def test_a_client_that_blocks_cannot_be_called_off(name: str, house: House) -> None:
    with pytest.raises(SettingsError, match="async client"), FakeProvider() as fake:
        house.client(FACES[name], fake)
