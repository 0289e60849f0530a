"""`constitution doctor`: what of the installation works, what does not, and what to do about it."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import platform
import sys
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Literal

from rich.text import Text

from guardrails.audit.keys import load_keys
from guardrails.audit.trail import check_trail
from guardrails.cli.documents import document
from guardrails.cli.outcome import Status
from guardrails.cli.screen import show, write_json
from guardrails.cli.stores import look_at
from guardrails.constitution.find import constitution_names
from guardrails.constitution.load import load_constitution
from guardrails.critic.registry import CriticRegistry
from guardrails.display.visible import visible
from guardrails.errors import AuditError, ConstitutionError, CriticError, SettingsError
from guardrails.guard.stores import shared_stores
from guardrails.settings import PREFIX, Settings, load_settings

__all__ = ["Check", "examine"]

DISTRIBUTION = "constitutional-guardrails"
OURS = ("guardrails", "critics", "constitutions")
PARTS = ("pydantic", "google-re2", "presidio-analyzer", "anthropic", "typer", "rich")

Level = Literal["ok", "warning", "error"]
SIGNS: dict[Level, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "warning": ("!", "yellow"),
    "error": ("✗", "bold red"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at. `remedy` says what to do unless all is well."""

    name: str
    level: Level
    found: str
    remedy: str = ""


def examine(*, as_json: bool) -> int:
    """Look at everything; the status is 1 if anything is an error."""
    checks = list(_checks())
    failed = any(check.level == "error" for check in checks)
    if as_json:
        write_json({"ok": not failed, "checks": document(checks)})
    else:
        show(*map(_line, checks), lines=True)
    return Status.INTERVENED if failed else Status.FINE


def _line(check: Check) -> Text:
    sign, style = SIGNS[check.level]
    line = Text.assemble((f"{sign} ", style), (f"{check.name} ", "bold"), visible(check.found))
    if check.remedy:
        line.append(visible(f"\n    → {check.remedy}"), style=style)
    return line


def _checks() -> Iterator[Check]:
    yield _python()
    yield from _versions()
    owners = packages_distributions()
    for name in OURS:
        yield owner(name, owners.get(name, ()))
    settings = yield from _settings()
    yield key(settings)
    yield trail(settings)
    yield from critics(CriticRegistry())
    yield from constitutions(settings)
    yield models(settings)
    yield from stores(settings)


def _python() -> Check:
    return Check(
        name="python",
        level="ok",
        found=f"{platform.python_version()} at {sys.executable}",
    )


def _versions() -> Iterator[Check]:
    for name in (DISTRIBUTION, *PARTS):
        try:
            yield Check(name=name, level="ok", found=version(name))
        except PackageNotFoundError:
            yield Check(
                name=name,
                level="error",
                found="is not installed",
                remedy=f"pip install --force-reinstall {DISTRIBUTION}",
            )


def owner(name: str, distributions: Sequence[str]) -> Check:
    """Whether an import name of ours leads to our files: other distributions take it, too."""
    spec = importlib.util.find_spec(name)
    place = Path(spec.origin).parent if spec and spec.origin else None
    here = Path(__file__).resolve().parents[2] / name
    others = sorted({*distributions} - {DISTRIBUTION})
    told = f"import {name}"
    if place is None or place.resolve() != here:
        return Check(
            name=told,
            level="error",
            found=f"leads to {place or 'nothing'}, not to {here}",
            remedy=f"{_belongs(others)}; use a virtual environment without it",
        )
    if others:
        return Check(
            name=told,
            level="warning",
            found=f"is ours, but {', '.join(others)} installs files of that name, too",
            remedy=f"pip uninstall {' '.join(others)}, then reinstall {DISTRIBUTION}",
        )
    return Check(name=told, level="ok", found=f"is ours, at {place}")


def _belongs(others: Sequence[str]) -> str:
    if others:
        return f"the name is taken by {', '.join(others)}"
    return "a folder or module of that name stands before ours on the path"


def _settings() -> Generator[Check, None, Settings]:
    """Where settings come from; the defaults stand in for those that cannot be read."""
    named = os.environ.get(PREFIX + "SETTINGS")
    file = Path(named) if named else Path.cwd() / "guardrails.toml"
    variables = sorted(name for name in os.environ if name.startswith(PREFIX))
    sources = [str(file)] if named or file.is_file() else []
    sources += [name for name in variables if name != PREFIX + "SETTINGS"]
    try:
        settings = load_settings()
    except SettingsError as error:
        yield Check(
            name="settings",
            level="error",
            found=str(error),
            remedy="correct or remove what is named here; the checks below go by the defaults",
        )
        return Settings()
    yield Check(name="settings", level="ok", found=", ".join(sources) or "the defaults")
    return settings


def key(settings: Settings) -> Check:
    """Whether the root key can be used; it is made at the first decision."""
    file = settings.key_path
    if settings.audit_file is None and settings.key_file is None:
        return Check(name="key", level="ok", found="made anew by each process (audit = memory)")
    if not file.exists():
        return _writable("key", file, "will be made at the first decision")
    try:
        return Check(name="key", level="ok", found=f"{load_keys(file).id} in {file}")
    except AuditError as error:
        found, _, remedy = str(error).partition("; ")
        return Check(
            name="key", level="error", found=found, remedy=remedy or "give its owner's rights"
        )


def trail(settings: Settings) -> Check:
    """Whether records can be written."""
    file = settings.audit_file
    if file is None:
        return Check(
            name="audit trail",
            level="warning",
            found="in memory: records end with the process",
            remedy=f"name a file in {PREFIX}AUDIT, or leave it out for the default one",
        )
    try:
        check_trail(settings)
    except AuditError as error:
        found, _, remedy = str(error).partition("; ")
        return Check(
            name="audit trail",
            level="error",
            found=found,
            remedy=remedy or f"name another file in {PREFIX}AUDIT",
        )
    if not file.exists():
        return Check(name="audit trail", level="ok", found=f"{file} will be made when it is needed")
    if settings.audit_anchor is None:
        return Check(
            name="audit trail",
            level="warning",
            found=f"{file}, without an anchor: a cut tail would not be missed",
            remedy=f"name a file on another disk in {PREFIX}AUDIT_ANCHOR",
        )
    return Check(
        name="audit trail", level="ok", found=f"{file}, anchored in {settings.audit_anchor}"
    )


def _writable(name: str, file: Path, found: str) -> Check:
    """Whether a file that is not there yet could be made."""
    folder = next(parent for parent in file.absolute().parents if parent.exists())
    if os.access(folder, os.W_OK):
        return Check(name=name, level="ok", found=f"{file} {found}")
    return Check(
        name=name,
        level="error",
        found=f"{file} cannot be made: {folder} may not be written",
        remedy="give write permission, or name another file in the settings",
    )


def critics(registry: CriticRegistry) -> Iterator[Check]:
    """Every critic that is installed, and whether its package imports."""
    for name in registry:
        try:
            entry = registry[name]
        except CriticError as error:
            yield Check(
                name=f"critic {name}",
                level="error",
                found=str(error),
                remedy="constitutions that name it cannot be loaded until it does",
            )
            continue
        found = (
            f"{entry.tier}, version {entry.critic.version}"
            if entry.critic
            else (f"{entry.tier}, known but not installed: what names it stays uncovered")
        )
        yield Check(name=f"critic {name}", level="ok", found=found)


def constitutions(settings: Settings) -> Iterator[Check]:
    """Every constitution that can be found by name, and whether it loads."""
    folder = settings.constitutions
    if folder is not None and not folder.is_dir():
        yield Check(
            name="constitutions",
            level="error",
            found=f"{folder} is no folder",
            remedy=f"make it, or correct {PREFIX}CONSTITUTIONS",
        )
        folder = None
    catalogue = CriticRegistry()
    names = constitution_names(folder)
    if not names:
        yield Check(
            name="constitutions",
            level="error",
            found="none can be found, not even those that are shipped",
            remedy=f"pip install --force-reinstall {DISTRIBUTION}",
        )
    for name in names:
        try:
            found = load_constitution(name, catalogue=catalogue, folder=folder)
        except (ConstitutionError, CriticError) as error:
            yield Check(
                name=f"constitution {name}",
                level="error",
                found=str(error),
                remedy=f"constitution lint {name}",
            )
            continue
        told = f"{found.version}, {len(found.principles)} principles, {found.digest[:19]}…"
        yield Check(name=f"constitution {name}", level="ok", found=told)


def models(settings: Settings) -> Check:
    """Which model plays which role."""
    if settings.models:
        told = ", ".join(f"{role} = {model}" for role, model in sorted(settings.models.items()))
        return Check(name="models", level="ok", found=told)
    return Check(
        name="models",
        level="warning",
        found="none is configured: constitutions that need a judge load only offline",
        remedy="say --offline (offline=True), or name one in guardrails.toml: [models] small = …",
    )


def stores(settings: Settings) -> Iterator[Check]:
    """Whether every Redis that settings name can be used. Without the one of the budgets no model
    is asked, unless settings say otherwise; without the one of the verdicts it only costs more."""
    try:
        found = shared_stores(settings, offline=False)
    except SettingsError as error:
        extra = "pip install 'constitutional-guardrails[redis]', or correct the address"
        yield Check(name="stores", level="error", found=str(error), remedy=extra)
        return
    asyncio.run(look_at(found))
    for store in found:
        seen = store.connection
        name = seen.what.replace("_", " ")
        if seen.why is None:
            yield Check(name=name, level="ok", found=f"{seen.address} can be used")
            continue
        counts = seen.what == "daily_budgets"
        setting = "budget_store" if counts and settings.budget_store is not None else "cache"
        yield Check(
            name=name,
            level="error" if counts and settings.on_budget_outage == "refuse" else "warning",
            found=f"{seen.address} cannot be used ({seen.why}): {seen.meanwhile}",
            remedy=f"start it, let it be reached from here, or correct {setting} "
            f"({PREFIX}{setting.upper()})",
        )
