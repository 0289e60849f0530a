"""Settings of the process: stores, keys, models, limits. Never what can change a verdict.

Read once, at the first `Guard.load`, from `guardrails.toml` in the working directory (or the file
named by GUARDRAILS_SETTINGS), then from GUARDRAILS_… variables, which win.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guardrails.errors import SettingsError

__all__ = ["Settings", "load_settings", "state_folder"]

PREFIX = "GUARDRAILS_"
APPLICATION = "constitutional-guardrails"


class Settings(BaseModel):
    """All that a process may set. `audit` is a file's path or `memory`; None means the default file
    in the user's state folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    audit: str | None = None
    audit_anchor: Path | None = None
    audit_keeps: Literal["digest", "redacted"] = "digest"
    audit_buffer: Annotated[int, Field(ge=0, le=100_000)] = 1_000
    on_audit_failure: Literal["block", "buffer"] = "block"
    key_file: Path | None = None
    constitutions: Path | None = None
    models: Mapping[str, str] = Field(default_factory=dict)

    @property
    def audit_file(self) -> Path | None:
        """Where records go; None for memory."""
        if self.audit == "memory":
            return None
        return Path(self.audit).expanduser() if self.audit else state_folder() / "audit.db"

    @property
    def key_path(self) -> Path:
        """The file that holds the process's root key."""
        if self.key_file is not None:
            return self.key_file.expanduser()
        file = self.audit_file
        return (file.parent if file is not None else state_folder()) / "key"


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's state folder for this application (XDG_STATE_HOME, else ~/.local/state)."""
    root = environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(root).expanduser() / APPLICATION


def load_settings(
    *, environ: Mapping[str, str] = os.environ, folder: Path | None = None
) -> Settings:
    """Read the settings file and the environment.

    Raises SettingsError that names the file and key, or the variable, that is wrong.
    """
    named = environ.get(PREFIX + "SETTINGS")
    file = Path(named).expanduser() if named else (folder or Path.cwd()) / "guardrails.toml"
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    if named or file.is_file():
        values = _read(file)
        places = dict.fromkeys(values, str(file))
    for field in Settings.model_fields:
        variable = PREFIX + field.upper()
        if field != "models" and variable in environ:
            values[field] = environ[variable]
            places[field] = variable
    models = {
        name.removeprefix(PREFIX + "MODELS_").lower(): value
        for name, value in environ.items()
        if name.startswith(PREFIX + "MODELS_")
    }
    if models:
        values["models"] = {**values.get("models", {}), **models}
        places.setdefault("models", PREFIX + "MODELS_…")
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        lines = [
            f"{places.get(str(item['loc'][0]), str(file))}: "
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        ]
    raise SettingsError("\n".join(lines))


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{file}: no such settings file (GUARDRAILS_SETTINGS names it)") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read as TOML: {error}") from None
