"""The section `attachments`: who may let images through, how it is inherited, what it decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from constitution_samples import REGISTRY

from guardrails.authoring.cases import run_cases
from guardrails.authoring.difference import difference
from guardrails.authoring.lint import lint
from guardrails.constitution.load import load_constitution, parse_constitution
from guardrails.constitution.model import Constitution
from guardrails.errors import ConstitutionError
from guardrails.exchange import Part, attached
from guardrails.guard import Guard
from guardrails.settings import Settings

PII = {"pii": {"input": {"CREDIT_CARD": "block"}, "output": {"CREDIT_CARD": "mask"}}}
IMAGE = [{"type": "text", "text": "Hm."}, {"type": "image", "source": {"data": "x"}}]
FILE = [{"type": "input_file", "file_id": "x"}]
PDF = [{"type": "document", "source": {"type": "base64", "data": "aGk="}, "title": "Terms"}]
UNKNOWN = [{"type": "later", "text": "words"}]


def file(id: str = "c", **said: Any) -> str:
    return json.dumps({"id": id, "version": "1.0.0", "principles": [], **said})


def load(**said: Any) -> Constitution:
    return parse_constitution(file(**said), file="c.yaml", catalogue=REGISTRY)


def verdict(found: Constitution, content: Any) -> str:
    guard = Guard.load(found, offline=True, settings=Settings(audit="memory"))
    decision = guard.sync.check_input([{"role": "user", "content": content}])
    if decision.findings:
        assert {finding.cause for finding in decision.findings} == {"unjudged_part"}
        assert decision.cause == "undecided"
        assert decision.coverage.unjudged_parts
    return str(decision.verdict)


def test_beside_personal_data_an_image_is_let_through_where_the_file_says_so() -> None:
    assert verdict(load(**PII), IMAGE) == "block"
    assert verdict(load(**PII, defaults={"on_undecided": "flag"}), IMAGE) == "block"
    for said in ("flag", {"image": "flag"}):
        assert verdict(load(**PII, attachments={"input": said}), IMAGE) == "flag"
    assert verdict(load(**PII, attachments={"output": "flag"}), IMAGE) == "block"


def test_only_what_is_named_is_let_through_and_never_what_may_be_text() -> None:
    images, every = ({"input": said} for said in ({"image": "flag"}, "flag"))
    assert verdict(load(**PII, attachments=images), FILE) == "block"
    assert verdict(load(**PII, attachments=every), FILE) == "flag"
    assert verdict(load(**PII, attachments=images), PDF) == "block"
    assert verdict(load(**PII, attachments={"input": {"file": "flag"}}), PDF) == "flag"
    assert verdict(load(**PII, attachments=every), UNKNOWN) == "block"
    later = [{"type": "document", "source": {"type": "later", "data": "aGk="}}]
    assert verdict(load(**PII, attachments=every), later) == "block"
    assert verdict(load(**PII, attachments=every), [*IMAGE, *UNKNOWN]) == "block"
    sealed = [{"type": "redacted_thinking", "data": "x"}]
    assert verdict(load(**PII, attachments=every), sealed) == "block"


def test_what_is_beside_an_attachment_is_judged_as_ever() -> None:
    guard = Guard.load(
        load(**PII, attachments={"input": "flag"}), offline=True, settings=Settings(audit="memory")
    )
    text = {"type": "text", "text": "My card is 4111 1111 1111 1111."}
    named = {"type": "input_file", "filename": text["text"], "file_data": "aGk="}
    for beside in (text, named, {**PDF[0], "title": text["text"]}):
        decision = guard.sync.check_input([{"role": "user", "content": [*IMAGE, beside]}])
        assert (decision.verdict, decision.breaches) == ("block", ("pii.input.CREDIT_CARD",))


def test_attachments_can_be_kept_out_where_a_principle_would_let_them_in() -> None:
    mild = {"pii": {"input": {"CREDIT_CARD": "flag"}}}
    assert verdict(load(**mild), IMAGE) == "flag"
    assert verdict(load(**mild, attachments={"input": {"image": "block"}}), IMAGE) == "block"
    assert verdict(load(**mild, attachments={"input": {"file": "block"}}), IMAGE) == "flag"


@pytest.mark.parametrize("kind", ["image", "audio", "file"])
def test_every_kind_is_known_by_what_stands_for_it(kind: Any) -> None:
    assert attached(kind).attachment == kind
    assert not attached(kind).readable


def test_other_parts_are_no_attachments() -> None:
    assert Part(text="x", name="file").attachment is None
    assert Part(text="", kind="opaque", name="content of an unknown type").attachment is None
    assert Part(text="", kind="opaque").attachment is None


# -- inheritance -----------------------------------------------------------------------------------


def child(folder: Path, parents: dict[str, Any], **said: Any) -> Constitution:
    for id, more in parents.items():
        (folder / f"{id}.yaml").write_text(file(id, **more))
    (folder / "c.yaml").write_text(file(extends=[*parents], **said))
    return load_constitution(folder / "c.yaml", catalogue=REGISTRY)


def relaxing(**said: Any) -> dict[str, Any]:
    return {"relax": [{"id": "attachments", "set": said, "reason": "Staff look at all photos."}]}


def test_a_child_lets_through_more_only_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(ConstitutionError) as raised:
        child(tmp_path, {"p": PII}, attachments={"input": {"image": "flag"}})
    (problem,) = raised.value.problems
    assert problem.what == "'flag' is milder than the inherited 'block'"
    assert problem.where == "attachments.input.image"
    assert "under 'relax' as attachments" in problem.hint
    found = child(tmp_path, {"p": PII}, **relaxing(input={"image": "flag"}))
    assert verdict(found, IMAGE) == "flag"
    assert verdict(found, FILE) == "block"
    (change,) = difference(load(**PII), found).of("relaxed")
    assert (change.about, change.reason) == (
        "attachments.input.image",
        "Staff look at all photos.",
    )


def test_what_opened_a_case_for_a_person_is_only_blocked_with_a_reason(tmp_path: Path) -> None:
    rule = {
        "id": "p.abuse", "text": "No x.", "stages": ["input"], "action": "escalate",
        "on_undecided": "escalate", "critics": [{"pattern": {"breach": ["xyz"]}}],
    }  # fmt: skip
    parents = {"p": {"principles": [rule]}}
    assert verdict(child(tmp_path, parents), IMAGE) == "escalate"
    with pytest.raises(ConstitutionError, match="'block' is milder than the inherited 'escalate'"):
        child(tmp_path, parents, attachments={"input": {"file": "block"}})
    found = child(tmp_path, parents, **relaxing(input={"file": "block"}))
    assert (verdict(found, IMAGE), verdict(found, FILE)) == ("escalate", "block")


def test_a_lock_holds_a_principle_and_not_what_it_could_not_read(tmp_path: Path) -> None:
    locked = {
        "id": "p.words", "text": "No x.", "locked": True, "stages": ["input"],
        "critics": [{"pattern": {"breach": ["xyz"]}}],
    }  # fmt: skip
    parents = {"p": {"principles": [locked]}}
    assert verdict(child(tmp_path, parents), IMAGE) == "block"
    assert verdict(child(tmp_path, parents, **relaxing(input="flag")), IMAGE) == "flag"


def test_a_child_keeps_out_more_freely(tmp_path: Path) -> None:
    let = {"p": {**PII, "attachments": {"input": "flag"}}}
    assert verdict(child(tmp_path, let), IMAGE) == "flag"
    found = child(tmp_path, let, attachments={"input": {"image": "block"}})
    assert (verdict(found, IMAGE), verdict(found, FILE)) == ("block", "flag")
    changes = difference(load(**let["p"]), found).changes
    assert [c.effect for c in changes if c.about.startswith("attachments")] == ["tightened"]


def test_where_nothing_is_inherited_a_child_says_what_it_likes(tmp_path: Path) -> None:
    found = child(tmp_path, {"p": {}}, **PII, attachments={"input": "flag"})
    assert verdict(found, IMAGE) == "flag"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"input": "block"}, "the constitution says so already"),
        ({"retrieval": "block"}, "is no milder; say it under 'attachments'"),
        ({"retrieval": "flag"}, "the constitution says so already"),
    ],
)
def test_a_relaxation_that_does_nothing_is_an_error(said: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConstitutionError, match=told):
        child(tmp_path, {"p": PII}, **relaxing(**said))


def test_what_one_parent_lets_through_the_other_keeps(tmp_path: Path) -> None:
    lets = {**PII, "attachments": {"input": "flag"}}
    assert verdict(child(tmp_path, {"p": lets, "q": {}}), IMAGE) == "flag"
    assert verdict(child(tmp_path, {"p": lets, "q": PII}), IMAGE) == "block"
    assert verdict(child(tmp_path, {"p": PII, "q": lets}), IMAGE) == "block"
    mild = {"pii": {"input": {"US_SSN": "flag"}}}
    assert verdict(child(tmp_path, {"p": lets, "q": mild}), IMAGE) == "flag"
    keeps = {"attachments": {"input": {"image": "block"}}}
    assert verdict(child(tmp_path, {"p": lets, "q": keeps}), IMAGE) == "block"


def test_a_principle_may_be_called_so(tmp_path: Path) -> None:
    rule = {"id": "attachments", "text": "Sends none.", "critics": ["secrets"]}
    change = {"id": "attachments", "set": {"action": "flag"}, "reason": "Only for a trial."}
    found = child(tmp_path, {"p": {"principles": [rule]}}, relax=[change])
    assert set(found.principle("attachments").actions.values()) == {"flag"}


# -- the digest, lint, tests ----------------------------------------------------------------------


def test_the_digest_follows_what_is_said() -> None:
    unsaid = load(**PII).digest
    assert load(**PII, attachments={}).digest == unsaid
    each = {"image": "flag", "audio": "flag", "file": "flag"}
    assert load(**PII, attachments={"input": "flag"}).digest != unsaid
    assert (
        load(**PII, attachments={"input": "flag"}).digest
        == load(**PII, attachments={"input": each}).digest
    )


def test_what_is_let_through_is_told_by_lint(tmp_path: Path) -> None:
    def told(text: str) -> list[str]:
        found = lint(parse_constitution(text, file="c", catalogue=REGISTRY), text, REGISTRY)
        return [finding.where for finding in found if finding.code == "L107"]

    each = {"image": "flag", "file": "block"}
    said = {"input": each, "output": "flag", "retrieval": "block"}
    assert told(file(attachments=said)) == ["attachments.input.image", "attachments.output"]


async def test_tests_say_what_is_attached() -> None:
    tests = [
        {"name": "a photo", "prompt": "What?", "attachments": ["image"], "expect": "flag"},
        {"name": "a file", "prompt": "What?", "attachments": ["image", "file"], "expect": "block"},
    ]
    results = await run_cases(load(**PII, attachments={"input": {"image": "flag"}}, tests=tests))
    assert [result.status for result in results] == ["passed", "passed"]
    with pytest.raises(ConstitutionError, match="'attachments' are for tests at the stage input"):
        load(tests=[{"name": "t", "reply": "r", "attachments": ["image"], "expect": "allow"}])
