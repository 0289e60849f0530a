"""A constitution to begin with: two principles, their examples and tests, and comments that teach.

What it writes lints without a finding and passes its own tests, whatever was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from guardrails.constitution.forms import ID, LANGUAGE, RESERVED
from guardrails.verdict import Stage

__all__ = ["SCHEMA_FILE", "Plan", "name_problem", "scaffold", "suggested_name"]

SCHEMA_FILE = "constitution.schema.json"
LONGEST_NAME = 80
"""Its principles' ids begin with it, and have at most 100."""

APPROVALS = ".approvals"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked for. `parents` are ids with ranges (`base@^1`); `replies` holds the languages
    in which the parents have replies of their own."""

    name: str
    title: str
    owner: str = ""
    parents: Sequence[str] = ()
    languages: Sequence[str] = ("en",)
    replies: frozenset[str] = field(default_factory=frozenset)
    stages: Sequence[Stage] = (Stage.OUTPUT,)


def name_problem(name: str) -> str:
    """Why a constitution cannot have this name; empty if it can."""
    if len(name) > LONGEST_NAME:
        return f"has more than {LONGEST_NAME} characters"
    if not re.fullmatch(ID, name):
        return "expected lower-case words of a-z, 0-9 and '-' joined by dots"
    if name.endswith(APPROVALS):
        return f"{APPROVALS!r} at the end is for the approvals beside a constitution"
    return "is a word of the format itself" if re.match(RESERVED, name) else ""


def suggested_name(name: str) -> str:
    """A name that may have been meant; empty if nothing is left of it."""
    stem = re.sub(r"\.ya?ml$", "", name.strip(), flags=re.IGNORECASE).replace("\\", "/")
    words = re.sub(r"[^a-z0-9.]+", "-", stem.rpartition("/")[2].casefold())
    kept = re.sub(r"[-.]*\.[-.]*", ".", words).strip("-.")[:LONGEST_NAME].rstrip("-.")
    return kept if kept and not name_problem(kept) else ""


_INTRODUCTION = """\
# yaml-language-server: $schema={schema}
#
# What this feature may say: principles, each with who looks and what follows from a breach.
# Everything here is an example. Change a line, then run
#   constitution lint {file}      what is weak or wrong
#   constitution test {file}      do the tests below come out as they say
#   constitution explain "…" -c {file}      who saw what in a text, and what follows
# The line above lets an editor complete the keys and mark what is wrong.
"""

_PROMISES = """\
  # Order is precedence. An id is dotted and stable; tests, records and reports name it.
  - id: {name}.promises
    # One idea, in words that a stranger could apply. `breach` and `not_breach` draw the line.
    text: Makes no promise on the organisation's behalf.
    breach: Says that the organisation will pay, deliver, repair or refund something, or by when.
    not_breach: Repeats what the published terms say, or tells who decides.
    severity: high          # for people and for routing; never decides
    stages: [output]        # input, output, tool_call, tool_result, retrieval
    action: revise          # flag, redact, revise, block or escalate
    critics:                # who looks; cheap ones first, whatever the order here
      - pattern:
          breach: ['\\bwe guarantee\\b']            # a hit is a breach by itself …
          unless: ['\\b(?:terms|contract)\\b']      # … but with this in its sentence, ask the judge
          look: ['\\bwe will (?:refund|replace|deliver)\\b']      # worth a look by the judge
      - negative_examples   # finds the examples below again, and what is near them
      - judge               # a model reads all the rest
    remedy:
      rewrite: Take the promise out, and say who decides.         # for the model that revises
      replace_sentence: Our team decides that and will let you know.      # when there is none
    examples:               # both sides of the line, as near to it as you can
      breach:
        - We guarantee that your parcel is there by Friday.
        - You will certainly get all of your money back.
      fine:
        - The terms allow fourteen days to send something back.
        - Our team looks at every complaint and decides what follows.
    source: {{title: House rule on promises, clause: "1"}}        # whose rule it is, and where

"""

_NAMES = """\
  - id: {name}.internal-names
    text: Keeps the names of internal projects to itself.
    breach: Names a project that the public does not know of.
    not_breach: Speaks of projects in general, or of products that are on sale.
    stages: [{stages}]
    action: {action}
    critics:
      - pattern: {{breach: ['\\bproject (?:falcon|osprey)\\b']}}
      - judge
    examples:
      breach: [The next release is called Project Osprey inside the house.]
      fine: [The next release has no name yet.]
    source: {{title: House rule on confidentiality}}

"""

_TESTS = """\
# The gate for every change. `judge:` says what the judge is made to answer; what it does not name
# passes. A test without it runs offline: patterns and examples alone have to decide it.
tests:
"""

_PROMISE_TESTS = """\
  - name: a promise by its words
    reply: We guarantee that you get it tomorrow.
    expect: revise
    breaches: [{name}.promises]
  - name: a promise in other words
    prompt: Will I get my money back?
    reply: You can count on it. Send us the receipt.
    judge: {{{name}.promises: {{breach: You can count on it}}}}
    expect: revise
    breaches: [{name}.promises]
  - name: what the terms say
    reply: The terms allow fourteen days to send it back.
    judge: {{}}
    expect: allow
"""

_ACTIONS: Mapping[Stage, str] = {
    Stage.INPUT: "flag",
    Stage.OUTPUT: "redact",
    Stage.TOOL_CALL: "block",
    Stage.TOOL_RESULT: "redact",
    Stage.RETRIEVAL: "redact",
}
"""What follows where an internal name is found: people may ask, tools may not be told."""

_GIVEN: Mapping[Stage, str] = {
    Stage.INPUT: "prompt: {text}",
    Stage.OUTPUT: "reply: {text}",
    Stage.TOOL_CALL: "tool: {{name: search, arguments: {{query: {text}}}}}",
    Stage.TOOL_RESULT: "result: {text}",
    Stage.RETRIEVAL: "documents: [{text}]",
}

_REPLIES: Mapping[str, str] = {
    "blocked": "I can't help with that here.",
    "unavailable": "This can't be checked right now. Please try again later.",
}


def scaffold(plan: Plan, *, file: str) -> str:
    """The text of a constitution file; `file` is what its comments call it."""
    return "".join(_pieces(plan, file)).rstrip("\n") + "\n"


def _pieces(plan: Plan, file: str) -> Iterator[str]:
    name, stages = plan.name, [stage for stage in Stage if stage in plan.stages]
    yield _INTRODUCTION.format(schema=SCHEMA_FILE, file=_comment(file))
    yield "".join(_head(plan))
    yield "".join(_replies(plan))
    yield "principles:\n"
    if Stage.OUTPUT in stages:
        yield _PROMISES.format(name=name)
    actions = {stage: _ACTIONS[stage] for stage in stages}
    each = ", ".join(f"{stage}: {action}" for stage, action in actions.items())
    one = next(iter(actions.values()))
    action = one if len(actions) == 1 else f"{{{each}}}    # one for each stage"
    yield _NAMES.format(name=name, stages=", ".join(stages), action=action)
    yield _TESTS
    if Stage.OUTPUT in stages:
        yield _PROMISE_TESTS.format(name=name)
    for stage, action in actions.items():
        yield from _name_test(name, stage, action)
    yield from _scripted(name, stages[0])


def _head(plan: Plan) -> Iterator[str]:
    yield "schema: 1\n"
    yield f"id: {plan.name}\n"
    yield "version: 0.1.0          # raise it with every change that is approved\n"
    yield f"title: {_quoted(plan.title)}\n"
    if plan.owner:
        yield f"owner: {_quoted(plan.owner)}          # who answers for it\n"
    else:
        yield "# owner: the team that answers for it\n"
    yield f"languages: [{', '.join(plan.languages)}]\n"
    if plan.parents:
        parents = ", ".join(map(_parent, plan.parents))
        yield f"extends: [{parents}]      # these hold, too: constitution show {plan.name}\n"
    yield "\n"


def _replies(plan: Plan) -> Iterator[str]:
    """What people see, in the languages that nobody has said it in yet."""
    missing = [tag for tag in plan.languages if tag.partition("-")[0] not in plan.replies]
    if not missing or (missing == ["en"] and len(plan.languages) == 1):
        return  # said by a parent, or by default
    if not plan.replies:
        missing = list(plan.languages)  # what is said for one stands in place of the defaults
    yield "# What a person sees instead of what was blocked, and when nothing can be checked.\n"
    yield "# In English so far: please translate.\n"
    yield "replies:\n"
    for key, text in _REPLIES.items():
        yield f"  {key}:\n"
        yield from (f"    {_quoted_key(tag)}: {_quoted(text)}\n" for tag in missing)
    yield "\n"


def _name_test(name: str, stage: Stage, action: str) -> Iterator[str]:
    yield f"  - name: an internal name at {stage}\n"
    yield f"    stage: {stage}\n"
    yield f"    {_GIVEN[stage].format(text='all about Project Falcon')}\n"
    yield f"    expect: {action}\n"
    yield f"    breaches: [{name}.internal-names]\n"


def _scripted(name: str, stage: Stage) -> Iterator[str]:
    yield "  - name: an internal name that only a judge knows\n"
    yield f"    stage: {stage}\n"
    yield f"    {_GIVEN[stage].format(text='all about Operation Heron')}\n"
    yield f"    judge: {{{name}.internal-names: {{breach: Operation Heron}}}}\n"
    yield f"    expect: {_ACTIONS[stage]}\n"


def _parent(parent: str) -> str:
    return _quoted(parent) if " " in parent else parent


def _quoted(text: str) -> str:
    """A text on one line as YAML: in double quotes where it could be taken for something else."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9 '-]*[A-Za-z0-9.]", text)
    if plain and text.casefold() not in ("true", "false", "null"):
        return text
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in ('"', "\\"):
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _quoted_key(tag: str) -> str:
    return tag if re.fullmatch(LANGUAGE, tag) else _quoted(tag)


def _comment(text: str) -> str:
    """On one line, and no end of the comment in it."""
    return "".join(character if character.isprintable() else "?" for character in text)
