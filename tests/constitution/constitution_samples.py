"""Small constitutions, and ways to load them and to hear what is wrong with them."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guardrails.constitution.load import load_constitution, parse_constitution
from guardrails.constitution.model import Catalogue, Constitution
from guardrails.critic.registry import CriticRegistry
from guardrails.errors import ConstitutionError

REGISTRY = CriticRegistry()
FILE = "c.yaml"

HEAD = "id: c\nversion: 1.0.0\n"
ONE = f"{HEAD}principles:\n  - id: a.b\n    text: Says no b.\n"
"""One principle; what follows is line 6."""

WHOLE = r"""
schema: 1
id: clinic-desk
version: 2.3.1-rc.1
title: Front desk of a clinic
owner: patient-services
languages: [en, de]
extends: []
withdraw: []
relax: []
judge: {cascade: [small, large], timeout_s: 8}
budget: {deadline_s: 12.5, max_chars: 5000, max_calls: 4, max_tokens: 9000, max_cost_usd: 0.01}
revision: {max_attempts: 2}
stream: {release: whole}
cache: {ttl_s: 60}
replies:
  blocked: Please call the desk.
  unavailable: {de: Gerade nicht., en: Not right now.}
defaults: {stages: [input, output], on_undecided: escalate, on_outage: flag, uncovered: block}
principles:
  - id: desk.diagnosis
    text: Names no diagnosis.
    breach: Says what illness somebody has.
    not_breach: Repeats what a letter says.
    severity: critical
    stages: [output, retrieval]
    scope: reply
    requires: false
    action: {output: revise, retrieval: redact}
    on_undecided: flag
    on_outage: escalate
    uncovered: accept
    locked: true
    applies: {audience: [patient, carer]}
    critics:
      - pattern:
          breach: ['\byou have (?:the )?flu\b']
          unless: ['\bletter\b']
          look: ['\bdiagnos(?:is|ed)\b']
          case: true
      - negative_examples
      - screen
      - judge: {when: look}
    remedy: {rewrite: Leave the name out., replace_sentence: ""}
    examples:
      breach: [You have the flu., {prompt: What is it?, reply: Flu.}]
      fine: [Your letter says flu.]
    reply: {en: Ask a doctor., de: Fragen Sie einen Arzt.}
    source: {title: House rule, clause: "4", url: https://clinic.example/rules}
  - {id: desk.short, text: Stays short.}
pii:
  input: {CREDIT_CARD: block, EMAIL_ADDRESS: flag}
  output: {PHONE_NUMBER: {action: mask, min_score: 0.6}, US_SSN: allow}
  keep: [desk@clinic.example]
tests:
  - {name: flu, prompt: What is it?, reply: You have the flu., expect: revise,
     breaches: [desk.diagnosis], attributes: {audience: patient, role: [a, b]}, language: en}
  - {name: judged, reply: A cold., judge: {desk.short: {breach: cold}}, expect: escalate}
  - {name: left out, reply: A cold., judge: {desk.short: {breach: true}}, expect: block}
  - {name: asked, prompt: 4111 1111 1111 1111, expect: block, breaches: [pii.input.CREDIT_CARD]}
  - {name: found, stage: retrieval, documents: [You have the flu.], expect: redact}
  - {name: sent, stage: tool_call, tool: {name: send, arguments: {to: [1, null]}}, expect: allow}
  - {name: got, stage: tool_result, result: Fine., expect: allow}
"""
"""Every key of the format, but for those that need a parent."""

EACH_WRONG = r"""
schema: 2
id: Bad Id
version: "1"
titel: x
principles:
  - id: a.b
    text: x
    sevrity: high
    stages: [outptu]
    locked: 1
    critics: [pattrn]
  - text: y
  - id: a.c
    text: [z]
    critics:
      - pattern: {breach: ['(?=a)b', '(']}
pii: {output: {EMAIL_ADRESS: redact}}
tests:
  - {name: t, expect: bloc}
"""
"""One error of each kind."""


def loaded(
    text: str | bytes, *, folder: Path | None = None, catalogue: Catalogue = REGISTRY
) -> Constitution:
    return parse_constitution(text, file=FILE, catalogue=catalogue, folder=folder)


def problems(
    text: str | bytes, *, folder: Path | None = None, catalogue: Catalogue = REGISTRY
) -> list[str]:
    """All that is wrong, as it is printed, without the file's name; empty if nothing is."""
    try:
        loaded(text, folder=folder, catalogue=catalogue)
    except ConstitutionError as error:
        return [str(problem).removeprefix(f"{FILE}:") for problem in error.problems]
    return []


def written(value: Mapping[str, Any]) -> str:
    """As JSON, which is YAML."""
    return json.dumps(value, ensure_ascii=False, indent=1)


def shuffled(value: Any, source: random.Random) -> Any:
    """The same with the keys of each mapping in another order."""
    if isinstance(value, dict):
        keys = list(value)
        source.shuffle(keys)
        return {key: shuffled(value[key], source) for key in keys}
    return [shuffled(item, source) for item in value] if isinstance(value, list) else value


class Family:
    """Constitutions beside each other in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, text: str, *, extends: str = "", version: str = "1.0.0") -> None:
        """Write NAME.yaml; `text` is what comes after its head."""
        head = f"id: {name}\nversion: {version}\nextends: [{extends}]\n"
        body = text if "principles:" in text else f"principles: []\n{text}"
        (self.folder / f"{name}.yaml").write_text(head + body)

    def load(self, name: str) -> Constitution:
        return load_constitution(name, catalogue=REGISTRY, folder=self.folder)

    def problems(self, name: str) -> list[str]:
        """What is wrong, without the folder's name."""
        try:
            self.load(name)
        except ConstitutionError as error:
            return [str(p).removeprefix(f"{self.folder}/") for p in error.problems]
        return []

    def child_problems(self, parent: str, child: str) -> list[str]:
        """What is wrong with a child of a parent, without file and line."""
        self.add("parent", parent)
        self.add("child", child, extends="parent@^1")
        return [problem.split(": ", 1)[1] for problem in self.problems("child")]

    def child(self, parent: str, child: str) -> Constitution:
        self.add("parent", parent)
        self.add("child", child, extends="parent@^1")
        return self.load("child")
