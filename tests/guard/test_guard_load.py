"""What fails when a guard is loaded, and not at the first request."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from guard_samples import JUDGED, RULES, Records, guard_in, written

from guardrails.constitution.model import CriticConfig
from guardrails.critic.protocol import Critique, CritiqueRequest
from guardrails.errors import ConstitutionError, CriticError, GuardrailsError, SettingsError
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.testing import passing, scripted_critic
from guardrails.verdict import Verdict

SETTINGS = Settings(audit="memory")


def test_an_unknown_constitution_is_told_by_its_name() -> None:
    with pytest.raises(ConstitutionError, match="medicle"):
        Guard.load("medicle", settings=SETTINGS)


def test_a_missing_file_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConstitutionError, match=r"house\.yaml"):
        Guard.load(tmp_path / "house.yaml", settings=SETTINGS)


def test_a_needed_judge_that_is_missing_names_both_ways_out(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        guard_in(tmp_path, written(JUDGED))
    said = str(caught.value)
    for named in ("'house'", "house.kind", "small", "[models]", "offline=True", "--offline"):
        assert named in said


def test_a_model_of_a_provider_that_nobody_knows_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"maker/model: no provider 'maker'"):
        guard_in(tmp_path, written(JUDGED), models={"small": "maker/model"})


@pytest.mark.parametrize("way", ["offline", "critics"])
def test_either_way_out_leads_out(way: str, tmp_path: Path) -> None:
    options: Any = {
        "offline": {"offline": True},
        "critics": {"critics": [scripted_critic(passing)]},
    }
    guard = guard_in(tmp_path, written(JUDGED), **options[way])
    assert guard.offline == (way == "offline")
    assert guard.sync.check_output("good day").verdict is Verdict.ALLOW


def test_no_judge_is_needed_where_none_is_named(tmp_path: Path) -> None:
    assert not guard_in(tmp_path).offline


SECRET = "critics: [pattern: {breach: [secret]}]"
OWN = f"""
  - {{id: house.secret, text: Keeps the secret., action: block, {SECRET}}}
"""


def with_own(rest: str) -> str:
    """A second principle, which brings a text of its own."""
    never = "critics: [pattern: {breach: [never]}]"
    return written(f"{OWN}  - {{id: house.own, text: A rule., {rest}, {never}}}")


@pytest.mark.parametrize(
    ("text", "line", "where"),
    [
        (
            written(OWN).replace("No, not here.", "It is a secret."),
            1,
            "replies.blocked.en",
        ),
        (
            written(OWN).replace("The check is unavailable.", "Secretly: secret."),
            1,
            "replies.unavailable.en",
        ),
        (
            with_own("reply: 'My secret.'"),
            8,
            "reply.en",
        ),
        (
            with_own("action: revise, remedy: {append: 'A secret.'}"),
            8,
            "remedy.append",
        ),
        (
            with_own("action: revise, remedy: {replace_sentence: 'A secret.'}"),
            8,
            "remedy.replace_sentence",
        ),
    ],
    ids=["blocked", "unavailable", "own reply", "append", "replace"],
)
def test_a_text_of_the_constitution_that_breaks_its_own_rule_is_an_error_with_its_place(
    text: str, line: int, where: str, tmp_path: Path
) -> None:
    with pytest.raises(ConstitutionError) as caught:
        guard_in(tmp_path, text)
    (problem,) = caught.value.problems
    assert problem.file.endswith("house.yaml")
    assert (problem.line, problem.where) == (line, where)
    assert "'house.secret'" in problem.what


def test_a_reply_may_be_flagged(tmp_path: Path) -> None:
    flags = OWN.replace("block", "flag")
    guard_in(tmp_path, written(flags).replace("No, not here.", "It is a secret."))


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = written(OWN).replace("No, not", "secret").replace("The check", "secret")
    with pytest.raises(ConstitutionError) as caught:
        guard_in(tmp_path, text)
    assert len(caught.value.problems) == 2


class Unbindable:
    name, version, tier, Config = "unbindable", "1", "local", CriticConfig

    @classmethod
    def bind(cls, rules: object, resources: object) -> object:
        raise ValueError("no")


def test_a_critic_that_cannot_be_bound_is_told_by_its_name(tmp_path: Path) -> None:
    rules = "\n  - {id: house.own, text: A rule., critics: [unbindable]}"
    critic: Any = Unbindable
    with pytest.raises(CriticError, match=r"'unbindable'.*ValueError"):
        guard_in(tmp_path, written(rules), critics=[critic])


def test_a_constitution_may_be_given_as_one(tmp_path: Path) -> None:
    one = guard_in(tmp_path).constitution
    guard = Guard.load(one, settings=SETTINGS)
    assert guard.constitution is one


def test_a_guard_says_which_rules_it_holds_to(tmp_path: Path) -> None:
    assert repr(guard_in(tmp_path)) == "<Guard house@1.2.0>"
    assert repr(guard_in(tmp_path, offline=True)) == "<Guard house@1.2.0, offline>"


class Counting(Records):
    """An empty one is false, as a list is."""

    ended = 0

    def __len__(self) -> int:
        return len(self.opened)

    async def aclose(self) -> None:
        self.ended += 1


async def test_a_trail_that_is_given_is_used_and_stays_its_owners(tmp_path: Path) -> None:
    trail = Counting()
    async with guard_in(tmp_path, trail=trail) as guard:
        await guard.check_input("good day")
    await guard.aclose()
    guard.sync.close()
    assert len(trail) == 1
    assert trail.ended == 0


async def test_a_trail_that_settings_name_is_closed_with_the_guard(tmp_path: Path) -> None:
    file = tmp_path / "house.yaml"
    file.write_text(written())
    settings = Settings(audit=str(tmp_path / "audit.db"))
    async with Guard.load(file, settings=settings) as guard:
        assert (await guard.check_input("good day")).record_id
    with pytest.raises(GuardrailsError, match="closed"):
        await guard.check_input("good day")


def test_promise_9_a_load_logs_no_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        guard_in(tmp_path, written(RULES))
    assert "Please ask" not in caplog.text


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_critic_that_would_end_the_program_keeps_nobody_waiting(
    error: type[BaseException], tmp_path: Path
) -> None:
    async def raises(request: CritiqueRequest) -> Critique:
        raise error

    critic = scripted_critic(raises, name="own", tier="deterministic")
    rules = """
  - {id: house.own, text: Is fine., stages: [input, output], action: block, critics: [own]}
"""
    guard = guard_in(tmp_path, written(rules), critics=[critic])
    assert not guard.sync.check_output("good day").verdict.delivers
