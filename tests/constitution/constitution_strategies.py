"""Whole constitution files that the loader accepts, as values; each key is there or is not."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from guardrails.verdict import Stage

__all__ = ["files", "texts"]

STAGES = tuple(map(str, Stage))
DOUBTS = st.sampled_from(["flag", "block", "escalate"])
UNCOVERED = st.sampled_from(["accept", "block", "escalate"])
LANGUAGES = st.sampled_from(["en", "de", "pt-br", "zh"])
ENTITIES = st.sampled_from(["CREDIT_CARD", "EMAIL_ADDRESS", "US_SSN", "PHONE_NUMBER", "IBAN_CODE"])
PATTERNS = st.sampled_from([r"\bdose\b", "a+b", r"\d{2,4} mg", "(?:x|y)z", "ß", r"[a-z]\s?é"])
ROLES = st.sampled_from(["small", "medium", "large"])
NEEDED = {
    "input": "prompt",
    "output": "reply",
    "tool_call": "tool",
    "tool_result": "result",
    "retrieval": "documents",
}

texts = st.text("abc XYZ:,#'\"{}[]&*!|>%@`~-?\n\t0.é语🙂", max_size=12).map(lambda text: f"t{text}")
"""Some text with all that YAML makes of signs; the letter keeps it from being a number or null."""


def _some(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=optional)


def _unique(items: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[list[Any]]:
    return st.lists(items, min_size=1, max_size=most, unique=True)


_replies = texts | st.dictionaries(LANGUAGES, texts, min_size=1)
_examples = st.lists(texts | st.fixed_dictionaries({"prompt": texts, "reply": texts}), max_size=3)
_source = st.fixed_dictionaries({"title": texts}, optional={"clause": texts, "url": texts})
_score = st.integers(0, 10).map(lambda tenth: tenth / 10)


@st.composite
def _critics(draw: st.DrawFn, *, requires: bool) -> list[Any]:
    judges: list[Any] = [None, "judge", {"judge": {}}, {"judge": {"when": "look"}}]
    judge = draw(st.sampled_from(judges))
    pattern = draw(
        _some(
            breach=_unique(PATTERNS), case=st.booleans(),
            **({"look": _unique(PATTERNS)} if judge else {}),
            **({"require": _unique(PATTERNS)} if requires else {}),
        )
    )  # fmt: skip
    if "breach" in pattern:
        pattern |= draw(_some(unless=_unique(PATTERNS)))
    others: st.SearchStrategy[Any] = st.sampled_from(
        [
            "negative_examples",
            "screen",
            {"screen": {}},
            "secrets",
            {"secrets": {"kinds": ["aws", "jwt"]}},
            {"pii": {"entity": "US_SSN", "min_score": 0.7, "keep": ["x"]}},
        ]
    )
    critics = draw(st.lists(others, max_size=4, unique_by=_name))
    if judge:
        critics.append(judge)
    if pattern.keys() & {"breach", "look", "require"}:
        critics.append({"pattern": pattern})
    return draw(st.permutations(critics)) or ["judge"]


def _name(critic: str | dict[str, Any]) -> str:
    return critic if isinstance(critic, str) else next(iter(critic))


@st.composite
def _principles(draw: st.DrawFn, number: int) -> dict[str, Any]:
    principle: dict[str, Any] = {"id": f"p.n{number}", "text": draw(texts)}
    principle |= draw(
        _some(
            breach=texts, not_breach=texts, scope=st.sampled_from(["part", "reply"]),
            severity=st.sampled_from(["low", "medium", "high", "critical"]),
            stages=_unique(st.sampled_from(STAGES), 5), requires=st.booleans(),
            on_undecided=DOUBTS, on_outage=DOUBTS, uncovered=UNCOVERED, locked=st.booleans(),
            applies=st.dictionaries(texts, _unique(texts), max_size=2),
            examples=_some(breach=_examples, fine=_examples), reply=_replies,
            source=_source,
        )
    )  # fmt: skip
    requires = principle.get("requires", False)
    if draw(st.booleans()):
        principle["critics"] = draw(_critics(requires=requires))
    principle |= draw(_acting(stages=principle.get("stages", ["output"]), requires=requires))
    return principle


@st.composite
def _acting(draw: st.DrawFn, *, stages: list[str], requires: bool) -> dict[str, Any]:
    def action(*, input: bool) -> st.SearchStrategy[str]:
        some = ["flag", "block", "escalate"]
        some += [] if requires else ["redact"]
        some += [] if input else ["revise"]
        return st.sampled_from(some)

    one = action(input="input" in stages)
    each = st.fixed_dictionaries({stage: action(input=stage == "input") for stage in stages})
    said = draw(st.none() | one | each)
    if said is None:
        return {}
    actions = [said] if isinstance(said, str) else said.values()
    if "revise" not in actions:
        return {"action": said}
    ways = {"rewrite": texts, "append": texts}
    if not requires:
        ways |= {"replace_sentence": texts | st.just("")}
    remedy = draw(_some(**ways))
    if "append" in remedy:
        remedy.pop("replace_sentence", None)
    return {"action": said, "remedy": remedy}


@st.composite
def _tests(draw: st.DrawFn, principles: list[dict[str, Any]]) -> dict[str, Any]:
    stage = draw(st.sampled_from(STAGES))
    values: dict[str, st.SearchStrategy[Any]] = {
        "prompt": texts,
        "reply": texts,
        "result": texts,
        "documents": _unique(texts),
        "tool": st.fixed_dictionaries(
            {"name": texts},
            optional={"arguments": st.dictionaries(texts, st.none() | st.integers() | texts)},
        ),
    }
    actions = ["allow", "flag", "redact", "revise", "block", "escalate"]
    test: dict[str, Any] = {
        "name": draw(texts),
        "expect": draw(st.sampled_from(actions)),
        "stage": stage,
    }
    test[NEEDED[stage]] = draw(values[NEEDED[stage]])
    test |= draw(
        _some(language=LANGUAGES, attributes=st.dictionaries(texts, texts | _unique(texts)))
    )
    if principles:
        ids = [principle["id"] for principle in principles]
        test |= draw(_some(breaches=_unique(st.sampled_from(ids))))
    judged = [p["id"] for p in principles if _is_judged(p, stage)]
    scripts: bool = draw(st.booleans())
    if judged and scripts:
        scripted = st.fixed_dictionaries({"breach": texts | st.just(True)})
        test["judge"] = draw(st.dictionaries(st.sampled_from(judged), scripted))
    return test


def _is_judged(principle: dict[str, Any], stage: str) -> bool:
    critics = principle.get("critics", ["judge"])
    return "judge" in map(_name, critics) and stage in principle.get("stages", ["output"])


@st.composite
def _judges(draw: st.DrawFn) -> dict[str, Any]:
    said: dict[str, Any] = draw(_some(cascade=_unique(ROLES), timeout_s=st.integers(1, 600)))
    cascade = said.get("cascade", ["small"])
    rules = _some(
        severity=st.sampled_from(["high", "critical"]),
        look=st.just(True),
        min_chars=st.integers(1, 10**8),
    )
    checks: dict[str, Any] = {"confirm": st.just("nothing"), "audit_share": st.just(0)}
    if len(cascade) > 1:
        checks = {
            "confirm": st.sampled_from(["nothing", "breach"]),
            "audit_share": st.just(1) | st.just(0.5),
            "reversals": st.fixed_dictionaries(
                {"share": st.just(1) | st.just(0.5)}, optional={"samples": st.integers(1, 200)}
            ),
        }
    routing = draw(_some(**checks))
    if not routing.get("audit_share") and routing.get("confirm") != "breach":
        routing.pop("reversals", None)
    held = [
        {**rule, "role": draw(st.sampled_from(cascade))}
        for rule in draw(st.lists(rules, max_size=3))
        if rule
    ]
    if held:
        routing["start"] = held
    return {**said, "routing": routing} if routing or draw(st.booleans()) else said


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """A file without parents."""
    principles = [draw(_principles(number)) for number in range(draw(st.integers(0, 3)))]
    rules = st.dictionaries(
        ENTITIES,
        st.sampled_from(["allow", "flag", "mask", "redact", "block"])
        | st.fixed_dictionaries({"action": st.just("mask")}, optional={"min_score": _score}),
        max_size=3,
    )
    head = draw(
        _some(
            schema=st.just(1), title=texts, owner=texts, languages=_unique(LANGUAGES),
            extends=st.just([]), withdraw=st.just([]), relax=st.just([]),
            judge=_judges(),
            budget=_some(
                deadline_s=st.integers(1, 3600) | st.just(0.5), max_chars=st.integers(1, 10**8),
                max_calls=st.integers(0, 10_000), max_tokens=st.integers(0, 10**8),
                max_cost_usd=st.just(0.25) | st.integers(0, 10),
            ),
            revision=_some(max_attempts=st.integers(0, 3)),
            stream=_some(release=st.sampled_from(["auto", "whole"])),
            cache=_some(ttl_s=st.integers(0, 10**6)),
            replies=_some(blocked=_replies, unavailable=_replies),
            pii=st.fixed_dictionaries(
                {"output": rules.map(lambda said: {**said, "US_SSN": "mask"})},
                optional={"input": rules, "retrieval": rules, "keep": _unique(texts)},
            ),
        )
    )  # fmt: skip
    tests = draw(st.lists(_tests(principles), max_size=2))
    return {"id": "made-up", "version": "1.2.3", **head, "principles": principles, "tests": tests}
