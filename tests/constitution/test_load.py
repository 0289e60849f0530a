"""A file is loaded whole or not at all, and all that is wrong with it is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from constitution_samples import (
    EACH_WRONG,
    FILE,
    HEAD,
    ONE,
    REGISTRY,
    WHOLE,
    Family,
    loaded,
    problems,
)

from guardrails.constitution.load import load_constitution
from guardrails.constitution.model import Budget, Judging, Remedy, Source
from guardrails.errors import ConstitutionError
from guardrails.verdict import Stage


def test_a_file_with_every_key_is_read_whole() -> None:
    found = loaded(WHOLE)
    assert (found.id, found.version, found.owner) == (
        "clinic-desk",
        "2.3.1-rc.1",
        "patient-services",
    )
    assert found.languages == ("en", "de")
    assert found.budget == Budget(
        deadline_s=12.5, max_chars=5000, max_calls=4, max_tokens=9000, max_cost_usd=0.01
    )
    assert found.judging == Judging(cascade=("small", "large"), timeout_s=8)
    assert (found.max_attempts, found.release, found.cache_ttl_s) == (2, "whole", 60)
    assert found.reply_blocked == {"en": "Please call the desk."}
    assert list(found.reply_unavailable) == ["en", "de"]
    first = found.principles[0]
    assert (first.severity, first.scope, first.locked) == ("critical", "reply", True)
    assert first.actions == {Stage.OUTPUT: "revise", Stage.RETRIEVAL: "redact"}
    assert (first.on_undecided, first.on_outage, first.uncovered) == ("flag", "escalate", "accept")
    assert first.applies == {"audience": ("carer", "patient")}
    assert [use.name for use in first.critics] == [
        "pattern", "negative_examples", "screen", "judge",
    ]  # fmt: skip
    assert first.remedy == Remedy(rewrite="Leave the name out.", replace_sentence="")
    assert [(e.prompt, e.reply) for e in first.breach_examples] == [
        (None, "You have the flu."), ("What is it?", "Flu."),
    ]  # fmt: skip
    assert first.source == Source(
        title="House rule", clause="4", url="https://clinic.example/rules"
    )
    assert first.place == "c.yaml:21"
    second = found.principle("desk.short")
    assert (second.stages, second.on_undecided) == ((Stage.INPUT, Stage.OUTPUT), "escalate")
    assert [p.id for p in found.principles[2:]] == [
        "pii.input.CREDIT_CARD", "pii.input.EMAIL_ADDRESS", "pii.output.PHONE_NUMBER",
    ]  # fmt: skip
    assert [test.stage for test in found.tests[:4]] == ["output", "output", "output", "input"]
    assert found.tests[5].tool == {"name": "send", "arguments": {"to": [1, None]}}


def test_defaults_are_those_of_the_format() -> None:
    found = loaded(ONE)
    assert (found.languages, found.max_attempts, found.release) == (("en",), 1, "auto")
    assert found.budget == Budget(
        deadline_s=20, max_chars=1_000_000, max_calls=16, max_tokens=100_000, max_cost_usd=None
    )
    assert found.judging.cascade == ("small",)
    assert list(found.reply_blocked) == list(found.reply_unavailable) == ["en"]
    (principle,) = found.principles
    assert (principle.severity, principle.scope, principle.locked) == ("medium", "part", False)
    assert principle.actions == {Stage.OUTPUT: "block"}
    assert (principle.on_undecided, principle.on_outage) == ("block", "block")
    assert principle.uncovered == "accept"
    assert [use.name for use in principle.critics] == ["negative_examples", "judge"]


def test_a_doubt_about_what_is_only_flagged_is_flagged() -> None:
    (principle,) = loaded(f"{ONE}    action: flag\n").principles
    assert (principle.on_undecided, principle.on_outage) == ("flag", "flag")


def test_a_doubt_is_not_flagged_where_one_stage_does_more() -> None:
    text = f"{ONE}    stages: [input, output]\n    action: {{input: flag, output: block}}\n"
    assert loaded(text).principles[0].on_undecided == "block"


def test_pii_scores_have_a_default() -> None:
    found = loaded(f"{ONE}pii: {{output: {{US_SSN: mask}}}}\n")
    use = found.principle("pii.output.US_SSN").critic("pii")
    assert use is not None
    assert use.config.model_dump() == {"entity": "US_SSN", "min_score": 0.5, "keep": ()}


def test_all_errors_of_a_file_are_told_at_once_in_its_order() -> None:
    assert problems(EACH_WRONG) == [
        "2:9: schema: this release reads files of schema 1",
        "3:5: id: expected lower-case words of a-z, 0-9 and '-' joined by dots, as "
        "'med.dosage.advice'; found 'Bad Id'",
        "4:10: version: expected a semantic version, as 1.0.0; found '1'",
        "5:1: titel: unknown key; did you mean 'title'?",
        "9:5: principles[0].sevrity: unknown key; did you mean 'severity'?",
        "10:14: principles[0].stages[0]: unknown value 'outptu'; did you mean 'output'?",
        "11:13: principles[0].locked: expected true or false, found a number",
        "12:15: principles[0].critics[0]: unknown critic; did you mean 'pattern'?",
        "13:5: principles[1]: the key 'id' is missing",
        "15:11: principles[2].text: expected a text, found a list",
        "17:28: principles[2].critics[0].pattern.breach[0]: character 1: look-ahead is not in RE2; "
        "match what follows as well, or use `unless`",
        "17:38: principles[2].critics[0].pattern.breach[1]: character 1: a group is not closed",
        "18:16: pii.output.EMAIL_ADRESS: unknown entity 'EMAIL_ADRESS'; "
        "did you mean 'EMAIL_ADDRESS'?",
        "20:23: tests[0].expect: unknown value 'bloc'; did you mean 'block'?",
    ]


def test_errors_across_entries_are_told_with_those_of_entries() -> None:
    """A wrong principle hides neither the others' errors nor what names them."""
    text = (
        f"{ONE}  - id: a.c\n    sevrity: low\n    text: x\n"
        "tests:\n  - {name: t, reply: x, expect: block, breaches: [a.b, a.c, a.d]}\n"
    )
    assert problems(text) == [
        "7:5: principles[1].sevrity: unknown key; did you mean 'severity'?",
        "10:61: tests[0].breaches[2]: no principle 'a.d'; did you mean 'a.b'?",
    ]


@pytest.mark.parametrize(
    ("below", "said"),
    [
        ("    sevrity: low", "6:5: principles[0].sevrity: unknown key; did you mean 'severity'?"),
        ("    Severity: low", "6:5: principles[0].Severity: unknown key; did you mean 'severity'?"),
        ("    zzz: 1", "6:5: principles[0].zzz: unknown key; expected action, applies, breach, "),
        ("    severity:", "6:5: principles[0].severity: is empty; give a value or leave the key"),
        ("    severity: None", "6:15: principles[0].severity: unknown value 'None'; expected"),
        ("    severity: 1", "6:15: principles[0].severity: expected 'low', 'medium', 'high' or"),
        ("    requires: no", "6:15: principles[0].requires: expected true or false, found a text"),
        ("    breach: 12", "6:13: principles[0].breach: expected a text, found a number; quote it"),
        ("    breach: true", "6:13: principles[0].breach: expected a text, found 'true'; quote it"),
        ("    breach: ''", "6:13: principles[0].breach: expected some text; found an empty text"),
        ("    stages: output", "6:13: principles[0].stages: expected a list, found a text"),
        ("    stages: []", "6:13: principles[0].stages: expected at least one entry, found none"),
        (
            "    stages: [input, input]",
            "6:13: principles[0].stages: the list holds one thing twice",
        ),
        ("    action: allow", "6:13: principles[0].action: unknown value 'allow'; expected"),
        ("    action: [block]", "6:13: principles[0].action: "),
        ("    action: {}", "6:13: principles[0].action: expected at least one entry, found none"),
        ("    action: {output: blok}", "6:22: principles[0].action.output: unknown value 'blok';"),
        ("    action: {outptu: block}", "6:14: principles[0].action.outptu: unknown value"),
        (
            "    stages: [input, output]\n    action: {input: block}",
            "7:13: principles[0].action: no action for stage 'output'; name each stage",
        ),
        ("    action: {output: block, input: flag}", "6:29: principles[0].action.input: the"),
        (
            "    stages: [input]\n    action: revise",
            "7:13: principles[0].action: 'revise' does not",
        ),
        (
            "    requires: true\n    action: redact",
            "7:13: principles[0].action: 'redact' has nothing",
        ),
        ("    critics: []", "6:14: principles[0].critics: expected at least one entry, found none"),
        ("    critics: [pattrn]", "6:15: principles[0].critics[0]: unknown critic; did you mean"),
        ("    critics: [zzz]", "6:15: principles[0].critics[0]: unknown critic; known are"),
        (
            "    critics: [1]",
            "6:15: principles[0].critics[0]: expected a critic's name, or one name",
        ),
        (
            "    critics: [judge, judge]",
            "6:14: principles[0].critics: the list holds one thing twice",
        ),
        ("    critics: [{judge: {}, screen: {}}]", "6:15: principles[0].critics[0]: expected a"),
        (
            "    critics:\n      - judge:",
            "7:9: principles[0].critics[0]: has no configuration; write",
        ),
        (
            "    critics: [{judge: {wen: look}}]",
            "6:24: principles[0].critics[0].judge.wen: unknown",
        ),
        (
            "    critics: [{judge: {when: no}}]",
            "6:30: principles[0].critics[0].judge.when: unknown",
        ),
        (
            "    critics: [{pattern: {breach: [a], look: null}}]",
            "6:39: principles[0].critics[0].pattern.look: is empty; give a value or leave the key",
        ),
        ("    critics: [pattern]", "6:15: principles[0].critics[0]: nothing to search for; give"),
        (
            "    critics: [{pattern: {look: [a]}}]",
            "6:32: principles[0].critics[0].pattern.look: asks",
        ),
        (
            "    critics: [{pattern: {require: [a]}}]",
            "6:35: principles[0].critics[0].pattern.require",
        ),
        (
            "    critics: [{pattern: {breach: [1]}}]",
            "6:35: principles[0].critics[0].pattern.breach[0",
        ),
        ("    critics: [{pattern: {breach: ['a*']}}]", "6:35:"),
        (
            "    critics: [{pii: {entity: NAME}}]",
            "6:30: principles[0].critics[0].pii.entity: unknown ",
        ),
        ("    critics: [pii]", "6:15: principles[0].critics[0]: the key 'entity' is missing"),
        ("    remedy: {rewrite: x}", "6:13: principles[0].remedy: no stage has the action"),
        (
            "    action: revise\n    remedy: {append: x, replace_sentence: y}",
            "7:13: principles[0].remedy: holds both replace_sentence and append; keep one",
        ),
        (
            "    action: revise\n    requires: true\n    remedy: {replace_sentence: y}",
            "8:32: principles[0].remedy.replace_sentence: where something is missing there is no",
        ),
        (
            "    reply: {en: Sorry, not that}",
            "6:24: principles[0].reply['not that']: a key without",
        ),
        ("    reply: {EN: No.}", "6:13: principles[0].reply.EN: expected a language tag in lower"),
        ("    examples: [x]", "6:15: principles[0].examples: expected a mapping, found a list"),
        ("    examples: {good: [x]}", "6:16: principles[0].examples.good: unknown key; expected"),
        ("    examples: {fine: [{prompt: x}]}", "6:23: principles[0].examples.fine[0]: the key"),
        ("    examples: {fine: [[x]]}", "6:23: principles[0].examples.fine[0]: expected a text,"),
        ("    source: {clause: '1'}", "6:13: principles[0].source: the key 'title' is missing"),
        ("    source: House rule", "6:13: principles[0].source: expected a mapping, found a text"),
        (
            "    applies: {audience: patient}",
            "6:25: principles[0].applies.audience: expected a list",
        ),
        ("    on_undecided: allow", "6:19: principles[0].on_undecided: unknown value 'allow';"),
        ("    locked: 'true'", "6:13: principles[0].locked: expected true or false, found a text"),
        ("  - a.c", "6:5: principles[1]: expected a mapping, found a text"),
        ("  -", "6:4: principles[1]: expected a mapping, found nothing"),
        ("  - {id: a.c}", "6:5: principles[1]: the key 'text' is missing"),
        (
            "  - {id: a.b, text: x}",
            "6:10: principles[1].id: the id 'a.b' stands here twice, first ",
        ),
        (
            "  - {id: pii.x, text: x}",
            "6:10: principles[1].id: the id is taken by the format itself",
        ),
        (
            "  - {id: judge, text: x}",
            "6:10: principles[1].id: the id is taken by the format itself",
        ),
        ("  - {id: A.b, text: x}", "6:10: principles[1].id: expected lower-case words"),
        ("judge: {cascade: [smal]}", "6:19: judge.cascade[0]: unknown value 'smal'; did you mean"),
        ("judge: {cascade: small}", "6:18: judge.cascade: expected a list, found a text"),
        ("judge: {timeout_s: 0}", "6:20: judge.timeout_s: expected more than 0"),
        ("judge: {routing: {strat: []}}", "6:19: judge.routing.strat: unknown key; did you mean"),
        ("judge: {routing: {start: []}}", "6:26: judge.routing.start: expected at least one entry"),
        (
            "judge: {routing: {start: [{look: true}]}}",
            "6:27: judge.routing.start[0]: the key 'role' is missing",
        ),
        (
            "judge: {routing: {start: [{role: small, look: false}]}}",
            "6:47: judge.routing.start[0].look: expected true, found 'false'",
        ),
        (
            "judge: {routing: {start: [{role: small, sevrity: high}]}}",
            "6:41: judge.routing.start[0].sevrity: unknown key; did you mean 'severity'?",
        ),
        (
            "judge: {routing: {start: [{role: large, look: true}]}}",
            "6:34: judge.routing.start[0].role: the cascade has no 'large', only small; name one",
        ),
        (
            "judge: {cascade: [small, large], routing: {start: [{role: large}, {role: small}]}}",
            "6:67: judge.routing.start[1]: is never reached: start[0] holds for every exchange",
        ),
        (
            "judge: {routing: {start: [{role: small, severity: low}, {role: small, look: true}]}}",
            "6:57: judge.routing.start[1]: is never reached: start[0] holds for every exchange",
        ),
        (
            "judge: {routing: {confirm: breach}}",
            "6:28: judge.routing.confirm: nobody is left to ask: the cascade has one role, small",
        ),
        (
            "judge: {routing: {audit_share: 0.1}}",
            "6:32: judge.routing.audit_share: nobody is left to ask",
        ),
        (
            "judge: {cascade: [small, large], routing: {reversals: {share: 0.1}}}",
            "6:55: judge.routing.reversals: nobody is contradicted where no word is checked",
        ),
        ("judge: {routing: {audit_share: 2}}", "6:32: judge.routing.audit_share: expected at most"),
        (
            "budget: {max_chars: '5'}",
            "6:21: budget.max_chars: expected a whole number, found a text",
        ),
        ("budget: {max_chars: 1.5}", "6:21: budget.max_chars: expected a whole number, found a"),
        (
            "budget: {max_calls: true}",
            "6:21: budget.max_calls: expected a whole number, found 'true",
        ),
        ("budget: {deadline: 5}", "6:10: budget.deadline: unknown key; did you mean 'deadline_s'?"),
        ("budget: 5", "6:9: budget: expected a mapping, found a number"),
        ("budget: {max_calls: -1}", "6:21: budget.max_calls: expected at least 0"),
        ("revision: {max_attempts: 4}", "6:26: revision.max_attempts: expected at most 3"),
        ("stream: {release: all}", "6:19: stream.release: unknown value 'all'; expected 'auto' or"),
        ("cache: {ttl_s: 1.5}", "6:16: cache.ttl_s: expected a whole number, found a number"),
        ("replies: {blokced: x}", "6:11: replies.blokced: unknown key; did you mean 'blocked'?"),
        ("replies: {blocked: {}}", "6:20: replies.blocked: expected at least one entry"),
        ("defaults: {action: flag}", "6:12: defaults.action: unknown key; expected on_outage,"),
        ("languages: en", "6:12: languages: expected a list, found a text"),
        ("languages: [english]", "6:13: languages[0]: expected a language tag in lower case"),
        (
            "pii: {output: {EMAIL: redact}}",
            "6:16: pii.output.EMAIL: unknown entity 'EMAIL'; did you",
        ),
        (
            "pii: {output: {email: redact}}",
            "6:16: pii.output.email: expected an entity in capitals",
        ),
        (
            "pii: {output: {PERSON: redact}}",
            "6:16: pii.output.PERSON: PERSON needs a trained model",
        ),
        (
            "pii: {output: {US_SSN: pseudonymise}}",
            "6:24: pii.output.US_SSN: 'pseudonymise' is not there yet; use 'mask' or 'redact'",
        ),
        (
            "pii: {output: {US_SSN: {action: pseudonymise}}}",
            "6:33: pii.output.US_SSN.action: 'pseudonymise' is not there yet; use 'mask' or",
        ),
        ("pii: {output: {US_SSN: escalate}}", "6:24: pii.output.US_SSN: unknown value 'escalate';"),
        ("pii: {output: {US_SSN: {min_score: 1}}}", "6:24: pii.output.US_SSN: the key 'action' is"),
        ("pii: {output: {US_SSN: {action: mask, min_score: 2}}}", "6:50:"),
        ("pii: {outptu: {US_SSN: mask}}", "6:7: pii.outptu: unknown key; did you mean 'output'?"),
        ("pii: {output: [US_SSN]}", "6:15: pii.output: expected a mapping, found a list"),
        ("pii: {keep: [x@y.example]}", "6:13: pii.keep: nothing here looks for personal data;"),
        (
            'pii: {output: {US_SSN: mask}, keep: ["\\u200b"]}',
            "6:37: pii.keep: a value to keep is em",
        ),
        (
            "withdraw: [{id: a.b, reason: x}]",
            "6:17: withdraw[0].id: no parent has a principle 'a.b'",
        ),
        ("withdraw: [{id: a.b}]", "6:12: withdraw[0]: the key 'reason' is missing"),
        ("relax: [{id: a.b, set: {action: flag}}]", "6:9: relax[0]: the key 'reason' is missing"),
        (
            "relax: [{id: a.b, reason: x, set: {action: flag}}]",
            "6:14: relax[0].id: no parent has a",
        ),
        ("relax: [{id: a.b, reason: x, set: {}}]", "6:35: relax[0].set: sets nothing; name what"),
        ("relax: [{id: budget, reason: x, set: {action: flag}}]", "6:39: relax[0].set.action:"),
        (
            "relax: [{id: stream, reason: x, set: {release: auto}}]",
            "6:39: relax[0].set.release: no ",
        ),
        ("tests: [{name: t, expect: block}]", "6:9: tests[0]: a test at stage input needs the key"),
        (
            "tests: [{name: t, stage: retrieval, reply: x, expect: block}]",
            "6:9: tests[0]: a test at stage retrieval needs the key 'documents'",
        ),
        (
            "tests: [{name: t, reply: x, expect: block, breaches: [a.c]}]",
            "6:55: tests[0].breaches[0]: no principle 'a.c'; did you mean 'a.b'?",
        ),
        (
            "tests: [{name: t, reply: x, expect: block, judge: {a.c: {breach: x}}}]",
            "6:52: tests[0].judge.a.c: no principle 'a.c'; did you mean 'a.b'?",
        ),
        (
            "tests: [{name: t, prompt: x, expect: block, judge: {a.b: {breach: x}}}]",
            "6:53: tests[0].judge.a.b: 'a.b' does not hold at stage 'input'",
        ),
        (
            "    critics: [secrets]\n"
            "tests: [{name: t, reply: x, expect: block, judge: {a.b: {breach: x}}}]",
            "7:52: tests[0].judge.a.b: no judge is asked about 'a.b'; add 'judge' to its critics",
        ),
        (
            "tests: [{name: t, reply: x, expect: block, judge: {a.b: {breach: false}}}]",
            "6:66: tests[0].judge.a.b.breach: ",
        ),
        ("tests: {name: t}", "6:8: tests: expected a list, found a mapping"),
        ("extends: [base, base@^1]", "6:10: extends: the list holds one thing twice; keep one"),
        ("extends: base@^1", "6:10: extends: expected a list, found a text"),
        ("extends: [base@^x]", "6:11: extends[0]: not a range of versions: '^x'; expected such as"),
        ("extends: [Base]", "6:11: extends[0]: expected a parent's id and a range of versions"),
        ("extends: [../x]", "6:11: extends[0]: expected a parent's id and a range of versions"),
        (
            "extends: [nobody-has-this]",
            "6:11: extends[0]: unknown constitution 'nobody-has-this'; ",
        ),
        ("schema: 1.5", "6:9: schema: expected a whole number, found a number"),
    ],
)
def test_an_error_has_its_place_what_and_hint(below: str, said: str) -> None:
    found = problems(f"{ONE}{below}\n")
    assert len(found) == 1
    assert found[0].startswith(said)


@pytest.mark.parametrize("key", ["id", "version", "principles"])
def test_what_must_be_there_is_missed(key: str) -> None:
    lines = [line for line in f"{HEAD}principles: []\n".splitlines() if not line.startswith(key)]
    assert problems("\n".join(lines)) == [f"1:1: the key {key!r} is missing"]


@pytest.mark.parametrize(
    "version", ["1.0", "1", "v1.0.0", "1.0.0.0", "01.0.0", "latest", "'1.0.0 '"]
)
def test_a_version_is_semantic(version: str) -> None:
    assert len(problems(f"id: c\nversion: {version}\nprinciples: []\n")) == 1


def test_only_a_hundred_problems_are_told() -> None:
    assert len(problems(ONE + "".join(f"    k{n}: 1\n" for n in range(500)))) == 100
    assert len(problems(HEAD + "".join(f"k{n}: 1\n" for n in range(500)))) == 100


def test_a_wrong_critic_list_does_not_hide_a_wrong_test() -> None:
    text = f"{ONE}    critics: [nope]\ntests: [{{name: t, reply: x, expect: wrong}}]\n"
    assert [line.split(":")[0] for line in problems(text)] == ["6", "7"]


# -- from where ------------------------------------------------------------------------------------


def test_a_constitution_is_found_by_name_and_by_path(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(ONE)
    by_name = load_constitution("c", catalogue=REGISTRY, folder=tmp_path)
    by_path = load_constitution(tmp_path / "c.yaml", catalogue=REGISTRY)
    by_text = load_constitution(str(tmp_path / "c.yaml"), catalogue=REGISTRY)
    assert by_name == by_path == by_text
    assert by_path.file == str(tmp_path / "c.yaml")


def test_a_parent_is_found_beside_its_child(family: Family) -> None:
    family.add("parent", "principles: [{id: a.b, text: x}]\n")
    family.add("child", "", extends="parent")
    found = load_constitution(family.folder / "child.yaml", catalogue=REGISTRY)
    assert found.parents == ("parent@1.0.0",)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("medcal", "unknown constitution; did you mean 'medical'?"),
        ("../medical", "there is no such file"),
        ("nowhere.yaml", "there is no such file"),
        ("folder.yaml", "this is no file"),
        ("a\0b.yaml", "there is no such file"),
    ],
    ids=["a name", "out of the folder", "a path", "a folder", "NUL"],
)
def test_what_cannot_be_found_is_told(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "folder.yaml").mkdir()
    (tmp_path / "in" / "medical.yaml").write_text(ONE)
    monkeypatch.chdir(tmp_path / "in")
    with pytest.raises(ConstitutionError) as raised:
        load_constitution(name, catalogue=REGISTRY, folder=tmp_path / "in")
    assert said in str(raised.value)


def test_messages_tell_the_file_as_it_was_named() -> None:
    with pytest.raises(ConstitutionError, match=rf"^{FILE}:1:1: the file is empty"):
        loaded("")
