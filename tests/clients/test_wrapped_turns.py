"""Conversations through the SDKs' clients: what they send back is known, and the rest judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from wrapped_samples import FACES, JUDGED, Face, Records, close, constitution, done

from guardrails import wrap
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.testing import FakeProvider, passing, scripted_critic
from guardrails.verdict import Stage


def history(face: Face, text: str, reply: Any, next: str) -> dict[str, Any]:
    """What an application sends with its next turn: the reply as its SDK gave it."""
    first, last = face.request(text), {"role": "user", "content": next}
    match face.name.partition("-")[2]:
        case "messages":
            said = [{"role": "assistant", "content": reply.content}]
            return {**first, "messages": [*first["messages"], *said, last]}
        case "chat":
            said = [reply.choices[0].message]
            return {**first, "messages": [*first["messages"], *said, last]}
    return {**first, "input": [{"role": "user", "content": text}, *reply.output, last]}


def streamed_history(face: Face, text: str, said: str, next: str) -> dict[str, Any]:
    talk = [{"role": "user", "content": text}, {"role": "assistant", "content": said}]
    first = face.request(text)
    key = "input" if "input" in first else "messages"
    return {**first, key: [*talk, {"role": "user", "content": next}]}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", [name for name, face in FACES.items() if face.is_async])
async def test_a_conversation_through_an_sdk_costs_its_new_turn_only(
    name: str, streamed: bool, tmp_path: Path
) -> None:
    face, judge, records = FACES[name], scripted_critic(passing), Records()
    (file := tmp_path / "house.yaml").write_text(constitution(JUDGED))
    guard = Guard.load(file, critics=[judge], trail=records, settings=Settings(audit="memory"))
    async with FakeProvider(["A teapot.", "It is blue."]) as fake:
        client = wrap(face.client(fake), guard)
        if streamed:
            await face.events(client)
            again = streamed_history(face, "What is it?", "A teapot.", "And its colour?")
        else:
            again = history(face, "What is it?", await face.ask(client), "And its colour?")
        assert face.text(await done(face.resource(client).create(**again))) == "It is blue."
        await close(client)
    judged = [
        [target.text for target in request.targets]
        for request in judge.asked
        if request.stage is Stage.INPUT
    ]
    assert judged == [["What is it?"], ["And its colour?"]]
    assert [r.coverage.known_parts for r in records.opened if r.stage is Stage.INPUT] == [0, 2]
