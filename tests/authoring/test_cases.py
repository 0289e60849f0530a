"""What the tests of a file come to: settled, failed with the reason, or for a judge to say."""

from __future__ import annotations

from typing import Any

import pytest
from authoring_samples import loaded, principle, written

from guardrails.authoring.cases import run_cases


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
