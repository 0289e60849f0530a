"""Settings of the process: stores, keys, models, limits. Never what can change a verdict.

Read once, at the first `Guard.load`, from `guardrails.toml` in the working directory (or the file
named by GUARDRAILS_SETTINGS), then from GUARDRAILS_… variables, which win.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from guardrails.errors import SettingsError
from guardrails.mistakes import Steps, of_form, places, wrongs

__all__ = ["Settings", "load_settings", "settings_file", "state_folder"]

PREFIX = "GUARDRAILS_"
MODELS_PREFIX = PREFIX + "MODELS_"
APPLICATION = "constitutional-guardrails"
OF_OTHERS = ("serve",)
"""Tables of the same file that are read by whom they concern: `[serve]` by the proxy."""


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise SettingsError(
            f"{str(path)!r}: this user has no home folder; set XDG_STATE_HOME, or name files in "
            f"GUARDRAILS_AUDIT and GUARDRAILS_KEY_FILE"
        ) from None


Name = Annotated[str, StringConstraints(min_length=1)]
ModelName = Annotated[
    str, of_form(r"[^/\s]+/\S+", "provider/model, such as 'anthropic/claude-haiku-5-5'")
]
"""`provider/model`, such as `anthropic/claude-haiku-5-5`."""
WebAddress = Annotated[str, of_form(r"https?://\S+", "an address such as https://a.example")]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
File = Annotated[Path, AfterValidator(_expanded)]


def _store(named: str) -> str:
    if named in ("memory", "off") or named.startswith(("redis://", "rediss://", "unix://")):
        return named
    raise ValueError("expected memory, off, or an address such as redis://HOST:6379/0")


def _record_file(named: str) -> str:
    """Else the address of a database, with its password, would name a file here."""
    if "://" in named:
        raise ValueError("expected memory or the path of a file (SQLite), not an address")
    return named


def _counting_store(named: str) -> str:
    if named == "off":
        raise ValueError("expected memory, or an address such as redis://HOST:6379/0")
    return _store(named)


CacheStore = Annotated[Name, AfterValidator(_store)]
BudgetStore = Annotated[Name, AfterValidator(_counting_store)]


class Provider(BaseModel):
    """An endpoint that serves models: `kind` says how it is spoken to. The key is read from the
    variable that `api_key_env` names, so that no file holds it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: Literal["anthropic", "openai"]
    base_url: WebAddress | None = None
    api_key_env: Name | None = None
    max_concurrency: Annotated[int, Field(ge=1, le=10_000)] = 32


class Price(BaseModel):
    """What a model costs where no list says so, 0 included. Tokens that are read from or written
    to a cache cost as much as others unless their own price is given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    input_per_million_usd: Amount
    output_per_million_usd: Amount
    cache_read_per_million_usd: Amount | None = None
    cache_write_per_million_usd: Amount | None = None


class DailyLimits(BaseModel):
    """What may be spent on models in a day (UTC). What is unsaid is not limited."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    max_calls: Annotated[int, Field(ge=0, le=10**12)] | None = None
    max_tokens: Annotated[int, Field(ge=0, le=10**15)] | None = None
    max_cost_usd: Annotated[float, Field(ge=0, le=10**6, allow_inf_nan=False)] | None = None

    @property
    def limits_anything(self) -> bool:
        return self != DailyLimits()


class Daily(BaseModel):
    """Daily budgets: of every tenant, of some tenants by name (which stand in for that), and of
    every subject of a tenant."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    tenant: DailyLimits = DailyLimits()
    subject: DailyLimits = DailyLimits()
    tenants: Mapping[Name, DailyLimits] = Field(default_factory=dict)

    @property
    def all(self) -> Mapping[str, DailyLimits]:
        """Each by its key."""
        named = {f"daily.tenants.{name}": limits for name, limits in self.tenants.items()}
        return {"daily.tenant": self.tenant, "daily.subject": self.subject, **named}

    @property
    def limits_anything(self) -> bool:
        return any(limits.limits_anything for limits in self.all.values())

    @property
    def limits_cost(self) -> str | None:
        """The key of a limit of money, if there is one."""
        limited = (k for k, limits in self.all.items() if limits.max_cost_usd is not None)
        return next((f"{key}.max_cost_usd" for key in limited), None)


class Settings(BaseModel):
    """All that a process may set. `audit` is a file's path or `memory`; None means the default file
    in the user's state folder. A leading `~` in a path is the user's home. `audit_keeps` says what
    a record keeps of the text, `audit_escalated` what one for a person to look at does.
    `review_webhook` is told of new cases, with their redacted text only if `review_webhook_text`
    says so; what is told is signed with the key in `review_webhook_key_file`.
    `models` says which model plays a role, `fallbacks` which one stands in when it is away, as
    `provider/model`; `anthropic` and `openai` are known providers, `providers` names others.
    `prices` are by `provider/model` too, and go before the list that ships. `cache` says where
    verdicts of models are kept (`memory`, `off` or the address of a Redis, which may hold a
    password), `cache_entries` how many in memory; for how long, the constitution says. `daily` are
    budgets of a day; `budget_store` says where they are counted (as `cache`; None: in the Redis
    that `cache` names, else in memory), `on_budget_outage` whether models are asked while it is
    away, `budget_entries` how many tenants and subjects are counted in memory."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    audit: Annotated[Name, AfterValidator(_record_file)] | None = None
    audit_anchor: File | None = None
    audit_keeps: Literal["digest", "redacted"] = "digest"
    audit_escalated: Literal["digest", "redacted"] = "redacted"
    audit_buffer: Annotated[int, Field(ge=0, le=100_000)] = 1_000
    on_audit_failure: Literal["block", "buffer"] = "block"
    key_file: File | None = None
    constitutions: File | None = None
    models: Mapping[str, ModelName] = Field(default_factory=dict)
    fallbacks: Mapping[str, ModelName] = Field(default_factory=dict)
    providers: Mapping[str, Provider] = Field(default_factory=dict)
    prices: Mapping[ModelName, Price] = Field(default_factory=dict)
    cache: Annotated[CacheStore, Field(repr=False)] = "memory"
    cache_entries: Annotated[int, Field(ge=1, le=10_000_000)] = 50_000
    daily: Daily = Daily()
    budget_store: Annotated[BudgetStore | None, Field(repr=False)] = None
    budget_entries: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    on_budget_outage: Literal["refuse", "local"] = "refuse"
    review_webhook: WebAddress | None = None
    review_webhook_key_file: File | None = None
    review_webhook_text: bool = False

    @property
    def audit_file(self) -> Path | None:
        """Where records go; None for memory."""
        if self.audit == "memory":
            return None
        return _expanded(Path(self.audit)) if self.audit else state_folder() / "audit.db"

    @property
    def daily_store(self) -> str:
        """Where daily budgets are counted: `memory` or the address of a Redis."""
        if self.budget_store is not None:
            return self.budget_store
        return "memory" if self.cache in ("memory", "off") else self.cache

    @property
    def key_path(self) -> Path:
        """The file that holds the process's root key."""
        if self.key_file is not None:
            return self.key_file
        file = self.audit_file
        return (file.parent if file is not None else state_folder()) / "key"


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's state folder for this application (XDG_STATE_HOME, else ~/.local/state)."""
    root = Path(environ.get("XDG_STATE_HOME", ""))
    if not root.is_absolute():  # to be ignored then, says the XDG base directory specification
        root = _expanded(Path("~/.local/state"))
    return root / APPLICATION


def load_settings(
    *, environ: Mapping[str, str] = os.environ, folder: Path | None = None
) -> Settings:
    """Read the settings file and the environment; an empty variable counts as none.

    Raises SettingsError that names the file and key, or the variable, that is wrong.
    """
    variables = {
        name: value for name, value in environ.items() if name.startswith(PREFIX) and value
    }
    file, named = _file(variables, folder)
    text = _text(file) if named or file.is_file() else ""
    values = _parsed(text, file)
    for table in OF_OTHERS:
        values.pop(table, None)
    said = {name: variable for name, variable in _known().items() if variable in variables}
    values |= {name: variables[variable] for name, variable in said.items()}
    roles = [name for name in variables if name.startswith(MODELS_PREFIX)]
    if roles and isinstance(values.setdefault("models", {}), dict):
        models = {name.removeprefix(MODELS_PREFIX).lower(): variables[name] for name in roles}
        values["models"] = values["models"] | models
    problems = _misspelt(variables)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        tell = _teller(file, text, said, roles)
        problems += wrongs(error, values, tell=tell, known=_fields)
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def settings_file(
    environ: Mapping[str, str] = os.environ, *, folder: Path | None = None
) -> Path | None:
    """The file that settings are read from; None if there is none and none is named."""
    file, named = _file(environ, folder)
    return file if named or file.is_file() else None


def _file(variables: Mapping[str, str], folder: Path | None) -> tuple[Path, bool]:
    """The file, and whether somebody has named it."""
    named = variables.get(PREFIX + "SETTINGS")
    if named:
        return _expanded(Path(named)), True
    return (folder or Path.cwd()) / "guardrails.toml", False


def _known() -> dict[str, str]:
    """The variable of each field that has one of its own."""
    return {name: PREFIX + name.upper() for name in Settings.model_fields if name != "models"}


def _misspelt(variables: Mapping[str, str]) -> list[str]:
    """Variables that must have been meant for us. Others of our prefix belong to other projects."""
    known = [*_known().values(), PREFIX + "SETTINGS"]
    return [
        f"{name}: unknown variable; did you mean {meant}?"
        for name in variables
        if name not in known and not name.startswith(MODELS_PREFIX)
        for meant in get_close_matches(name, known, n=1, cutoff=0.9)
    ]


def _teller(
    file: Path, text: str, said: Mapping[str, str], roles: Sequence[str]
) -> Callable[[Steps, str], str]:
    """Puts the variable, or the place in the file, before what is wrong."""
    found = places(text)

    def tell(steps: Steps, what: str) -> str:
        if steps and steps[0] in said:
            return ": ".join((said[steps[0]], *steps[1:], what))
        variable = MODELS_PREFIX + "".join(steps[1:]).upper()
        if steps[:1] == ("models",) and variable in roles:
            return f"{variable}: {what}"
        line, column = found(steps)
        return f"{file}:{line}:{column}: {'.'.join(steps)}: {what}"

    return tell


_TABLES: Mapping[str, type[BaseModel]] = {
    "providers": Provider,
    "prices": Price,
    "daily": Daily,
}


def _fields(steps: Steps) -> Iterable[str]:
    """The keys of a table, by its name; of a day's budgets, those of their tables."""
    table = _TABLES.get(steps[0], Settings) if steps else Settings
    if table is Daily and len(steps) > 1:
        table = DailyLimits
    return table.model_fields


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")  # editors may put a mark before it
    except FileNotFoundError:
        raise SettingsError(
            f"{file}: no such settings file (GUARDRAILS_SETTINGS names it)"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read as TOML: {error}") from None


def _parsed(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: cannot be read as TOML: {error}") from None
