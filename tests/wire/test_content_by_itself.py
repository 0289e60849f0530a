"""Content of a message, as an application hands it over by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guardrails.constitution.load import parse_constitution
from guardrails.critic.registry import CriticRegistry
from guardrails.guard import Guard
from guardrails.settings import Settings

TEXT = {"type": "text", "text": "What is it?"}
PICTURE = {"type": "base64", "media_type": "image/png", "data": "aGk="}
IMAGE: dict[str, Any] = {"type": "image", "source": PICTURE}
LATER = {"type": "later_call_output", "call_id": "c", "output": {"image_url": "x"}}


def guard(**said: Any) -> Guard:
    text = json.dumps({"id": "c", "version": "1.0.0", "principles": [], **said})
    found = parse_constitution(text, file="c.yaml", catalogue=CriticRegistry())
    return Guard.load(found, offline=True, settings=Settings(audit="memory"))


def house(*stages: str, **more: Any) -> Guard:
    return guard(pii={stage: {"CREDIT_CARD": "block"} for stage in stages}, **more)


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        ([TEXT, IMAGE], "flag"),
        ((TEXT, IMAGE), "flag"),
        ([IMAGE], "flag"),
        (IMAGE, "flag"),
        ([TEXT], "allow"),
        ([{**TEXT, "text": "4111 1111 1111 1111"}, IMAGE], "block"),
        ([{"role": "user", "content": "Hm?"}, LATER], "block"),
        ([{"type": "section", "text": "Hm?"}, IMAGE], "allow"),  # another house's own blocks
        ({"type": "order", "text": "Hm?"}, "allow"),
    ],
    ids=str,
)
def test_content_by_itself_is_read_as_in_a_message(content: Any, verdict: str) -> None:
    made = house("input", attachments={"input": "flag"})
    assert made.sync.check_input(content).verdict == verdict


@pytest.mark.parametrize("stage", ["tool_result", "retrieval", "output"])
def test_so_is_content_at_every_stage(stage: str) -> None:
    assert house(stage).sync.check([TEXT, IMAGE], stage=stage).verdict == "block"
    made = house(stage, attachments={stage: "flag"})
    assert made.sync.check([TEXT, IMAGE], stage=stage).verdict == "flag"
    assert made.sync.check([TEXT], stage=stage).verdict == "allow"


@pytest.mark.parametrize("several", [True, False], ids=["a list", "one"])
def test_content_of_a_reply_is_held_to_the_rules_for_tools(several: bool) -> None:
    made = guard(tools={"deny": ["rm"]})
    for name, verdict in (("rm", "block"), ("ls", "allow")):
        call = {"type": "tool_use", "id": "t", "name": name, "input": {"a": 1}}
        assert made.sync.check_output([TEXT, call] if several else call).verdict == verdict
