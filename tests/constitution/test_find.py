"""A name leads to a file of the folder given, beside the child, or of a package, nowhere else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from constitution_samples import ONE

from guardrails.constitution.find import GROUP, constitution_names, find_constitution
from guardrails.errors import ConstitutionError


def test_the_folder_comes_before_the_childs_and_that_before_packages(tmp_path: Path) -> None:
    folder, beside = tmp_path / "folder", tmp_path / "beside"
    for place in (folder, beside):
        place.mkdir()
        (place / "base.yaml").write_text(ONE)
    assert find_constitution("base", folder, beside=beside) == folder / "base.yaml"
    assert find_constitution("base", beside=beside) == beside / "base.yaml"
    assert find_constitution("base").parent.name == "constitutions"


@pytest.mark.parametrize(
    "name", ["../c", "/etc/passwd", "..", "C", "a/b", "c.yaml", "", "a\0", "x" * 10_000]
)
def test_a_name_cannot_lead_elsewhere(name: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(ONE)
    (tmp_path / "in").mkdir()
    with pytest.raises(ConstitutionError) as raised:
        find_constitution(name, tmp_path / "in")
    assert raised.value.problems[0].what == "unknown constitution"
    assert len(str(raised.value)) < 1_000


def test_names_are_those_of_constitutions(tmp_path: Path) -> None:
    for name in ("mine.yaml", "Bad Name.yaml", "mine.approvals.yaml", "notes.txt"):
        (tmp_path / name).write_text(ONE)
    found = constitution_names(tmp_path)
    assert "mine" in found
    assert {"Bad Name", "mine.approvals", "notes"}.isdisjoint(found)


def test_a_package_offers_constitutions_without_being_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "house_rules_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('run')")
    (package / "house-rules.yaml").write_text(ONE)
    folder = tmp_path / "house_rules-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: house-rules\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[{GROUP}]\nhouse = house_rules_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_constitution("house-rules") == package / "house-rules.yaml"
    assert "house_rules_package" not in sys.modules


def test_a_package_that_is_gone_offers_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gone-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: gone\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[{GROUP}]\ngone = no_such_package.inner\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "base" in constitution_names()


def test_two_packages_that_offer_one_name_are_both_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one_package", "other_package"):
        package = tmp_path / name
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "rules.yaml").write_text(ONE)
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {name}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConstitutionError) as raised:
        find_constitution("rules")
    for name in ("one_package", "other_package"):
        assert str(tmp_path / name / "rules.yaml") in str(raised.value)
    (tmp_path / "rules.yaml").write_text(ONE)
    assert find_constitution("rules", tmp_path) == tmp_path / "rules.yaml"
