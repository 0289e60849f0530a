"""How parts are made ready for critics, and that many of them hold up no loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from pipeline_samples import budget_of, held, hides, pattern, plan_of, rule, use

import critics.pii.critic as pii
from guardrails.critic.limits import BudgetHandle
from guardrails.exchange import Part
from guardrails.pipeline import views
from guardrails.pipeline.views import OFF_LOOP_PARTS, Hidden, look_at
from guardrails.testing import passing, scripted_critic
from guardrails.text.normalise import normalise
from guardrails.text.scan import Scan
from guardrails.verdict import Verdict

MANY = OFF_LOOP_PARTS + 1


def noting(where: set[str], work: Callable[..., Any]) -> Callable[..., Any]:
    """The same work, with the thread it is done in noted."""

    def noted(*arguments: Any, **options: Any) -> Any:
        here = threading.current_thread() is threading.main_thread()
        where.add("on the loop" if here else "aside")
        return work(*arguments, **options)

    return noted


@pytest.mark.parametrize(
    ("texts", "place"),
    [
        (["a"] * 3, "on the loop"),
        (["é" * 1_000] * 3, "on the loop"),
        (["a" * 100_000], "on the loop"),  # ASCII is normal as it is
        (["a\x08" * 30_000], "aside"),  # but for its controls
        (["a"] * MANY, "aside"),
        (["é" * 1_000] * 60, "aside"),
        (["é" * 60_000], "aside"),
    ],
)
async def test_the_total_says_where_texts_are_normalised(
    texts: list[str], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where: set[str] = set()
    monkeypatch.setattr(views, "normalise", noting(where, normalise))
    seen = await look_at([Part(text=text) for text in texts])
    assert [target.text for target in seen.targets] == [normalise(text).text for text in texts]
    assert where == {place}


@pytest.mark.parametrize(
    ("texts", "place"),
    [
        (["a"] * 3, "on the loop"),
        (["a"] * MANY, "aside"),
        (["a" * 1_000] * 60, "aside"),
        (["a" * 60_000], "aside"),
    ],
)
async def test_the_total_says_where_texts_are_searched(
    texts: list[str], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where: set[str] = set()
    monkeypatch.setattr(Scan, "run", noting(where, Scan.run))
    outcome = await held(plan_of(rule("a.rule", pattern("b"))), [*texts, "b"])
    assert (outcome.verdict, outcome.findings[0].part) == (Verdict.BLOCK, len(texts))
    assert where == {place}


@pytest.mark.parametrize(("count", "place"), [(3, "on the loop"), (1_000, "aside")])
async def test_the_number_says_where_texts_pass_the_gates_of_pii(
    count: int, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where: set[str] = set()
    monkeypatch.setattr(pii, "_jobs", noting(where, pii._jobs))
    outcome = await held(plan_of(hides("EMAIL_ADDRESS", "mask")), ["a"] * count)
    assert outcome.verdict is Verdict.ALLOW
    assert where == {place}


async def test_what_only_helps_to_judge_is_normalised_when_somebody_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen_texts: list[str] = []

    def noted(text: str) -> Any:
        seen_texts.append(text)
        return normalise(text)

    monkeypatch.setattr(views, "normalise", noted)
    judge = scripted_critic(passing)
    before = [Part(text="Ⅸ before", target=False), Part(text="", kind="image", target=False)]
    cheap = plan_of(rule("a.rule", pattern("b")))
    assert (await held(cheap, "cool", before=before)).verdict is Verdict.ALLOW
    assert seen_texts == ["cool"]
    dear = plan_of(rule("a.rule", pattern("b"), use(judge)), critics=[judge])
    await held(dear, "cool", before=before)
    assert seen_texts == ["cool", "cool", "Ⅸ before"]
    shown = judge.asked[0].parts
    assert [part.text for part in shown] == ["IX before", "", "cool"]
    assert shown[-1] == shown[2]
    assert shown[:2] == tuple(shown)[:2]
    with pytest.raises(IndexError):
        shown[3]


@pytest.mark.parametrize("tier", ["local", "model"])
async def test_a_long_conversation_is_normalised_off_the_loop(
    tier: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    where: set[str] = set()
    judge = scripted_critic(passing, tier=tier)
    plan = plan_of(rule("a.rule", use(judge)), critics=[judge])
    monkeypatch.setattr(views, "normalise", noting(where, normalise))
    await held(plan, "", before=[Part(text="é" * 60_000, target=False)])
    assert where == {"on the loop", "aside"}  # the reply here, the rest there
    assert judge.asked[0].parts[0].text == "é" * 60_000


async def test_what_critics_see_is_worked_out_once() -> None:
    seen = await look_at([Part(text="jo@x.org"), Part(text="…", target=False)])
    assert seen.targets is seen.targets
    assert seen.shown is seen.shown
    other = seen.without([Hidden(part=0, span=(0, 8), entity="EMAIL_ADDRESS")])
    assert [target.text for target in other.targets] == ["[EMAIL_ADDRESS_1]"]
    assert [target.text for target in seen.targets] == ["jo@x.org"]


async def test_what_looks_like_a_placeholder_is_escaped_unless_it_is_hidden() -> None:
    text = "[A_1] [B_2] x [C_3][D_4]"
    seen = await look_at([Part(text=text)])
    hidden = [Hidden(part=0, span=span, entity="E") for span in ((6, 11), (13, 15))]
    (target,) = seen.without(hidden).targets
    assert target.text == r"\[A_1] [E_1] x[E_2]C_3]\[D_4]"


async def test_promise_2_a_search_that_time_cuts_short_is_no_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, run = [0.0], Scan.run

    def slow(scan: Scan, text: str) -> Any:
        now[0] += 40
        return run(scan, text)

    monkeypatch.setattr(Scan, "run", slow)
    plan = plan_of(rule("a.rule", pattern("b")))
    budget = BudgetHandle(
        deadline_s=60, max_chars=1_000, max_calls=9, max_tokens=9_000, clock=lambda: now[0]
    )
    outcome = await held(plan, ["a"] * 5 + ["b"], budget=budget)
    assert (outcome.verdict, outcome.cause) == (Verdict.BLOCK, "limit")
    assert now == [80]


@pytest.mark.proof
@pytest.mark.parametrize("text", ["1", "a@b.co"])
async def test_many_parts_hold_up_no_loop(text: str) -> None:
    plan = plan_of(hides("EMAIL_ADDRESS", "mask"), rule("a.rule", pattern("[0-9]"), action="flag"))
    await held(plan, "a@b.co")
    gaps: list[float] = []

    async def tick() -> None:
        while True:
            before = time.thread_time()  # of the loop: what else runs has no part in it
            await asyncio.sleep(0.005)
            gaps.append(time.thread_time() - before)

    ticking = asyncio.ensure_future(tick())
    outcome = await held(plan, [text] * 99_990, budget=budget_of(plan))
    ticking.cancel()
    assert Counter(finding.part for finding in outcome.findings).most_common(1)[0][1] == 1
    assert max(gaps) < 1.5
