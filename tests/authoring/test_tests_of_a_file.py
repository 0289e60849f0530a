"""What the tests of a file come to: settled, failed with the reason, or for a judge to say."""

from __future__ import annotations

from typing import Any

import pytest
from authoring_samples import loaded, principle, written

from guardrails.authoring.cases import run_cases
from guardrails.errors import ConstitutionError


async def came(*rules: dict[str, Any], **test: Any) -> tuple[str, str]:
    """The status and the message of one test under these principles."""
    text = written(*rules, tests=[{"name": "t", **test}])
    (result,) = await run_cases(loaded(text))
    return result.status, result.message


SENT = {"prompt": "What is it?", "attachments": ["image"]}


@pytest.mark.parametrize(("action", "expect"), [("block", "block"), ("escalate", "escalate")])
async def test_what_nobody_can_read_is_stopped_without_a_judge(action: str, expect: str) -> None:
    rule = principle(stages=["input"], action=action, on_undecided=action)
    assert await came(rule, **SENT, expect=expect) == ("passed", "")


async def test_what_is_only_flagged_may_still_be_stopped_by_a_judge() -> None:
    rule = principle(stages=["input"], on_undecided="flag")
    status, message = await came(rule, **SENT, expect="flag")
    assert (status, message) == ("not_judged", "only a judge can say: tone.insults")
    assert (await came(rule, **SENT, expect="flag", judge={}))[0] == "passed"


@pytest.mark.parametrize(
    ("remedy", "told"),
    [
        (
            {"append": "Sorry."},
            "expected revise, got block; breaches: tone.insults; "
            "with its remedy it came to revise again",
        ),
        (
            {"rewrite": "Leave out the insult."},
            "expected revise, got block; breaches: tone.insults; "
            "no model writes a revision in a test: give its remedy replace_sentence or append",
        ),
    ],
    ids=["a remedy that mends nothing", "a remedy that needs a model"],
)
async def test_a_revision_that_came_to_nothing_is_told(remedy: Any, told: str) -> None:
    rule = principle(action="revise", remedy=remedy)
    said = {"reply": "What a bother you are.", "judge": {"tone.insults": {"breach": "a bother"}}}
    assert await came(rule, **said, expect="revise") == ("failed", told)
    assert await came(rule, **said, expect="block") == ("passed", "")


@pytest.mark.parametrize(
    ("test", "told"),
    [
        ({"reply": "r", "result": "x"}, "'result' is of no use in a test at the stage output"),
        ({"reply": "r", "documents": ["x"]}, "'documents' is of no use in a test at the stage"),
        ({"stage": "input", "prompt": "p", "tool": {"name": "t"}}, "'tool' is of no use in a test"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
async def test_what_a_test_has_no_use_for_is_an_error(test: Any, told: str) -> None:
    with pytest.raises(ConstitutionError, match=told):
        await came(**test, expect="allow")


async def test_a_picture_may_come_without_a_word() -> None:
    rule = principle(stages=["input"])
    sent = {"attachments": ["image"], "expect": "block"}
    assert await came(rule, **sent) == ("passed", "")
    with pytest.raises(ConstitutionError, match="a test at stage input needs the key 'prompt'"):
        await came(rule, expect="block")
