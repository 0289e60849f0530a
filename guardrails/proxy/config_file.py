"""`[serve]` as it is read: a file, options over it, and all that is wrong, each at its place."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from guardrails.errors import SettingsError
from guardrails.mistakes import Steps, places, wrongs
from guardrails.proxy.config import (
    Allowed,
    CheckConfig,
    ClientConfig,
    Limits,
    Operations,
    RouteConfig,
    ServeConfig,
    Tls,
)
from guardrails.proxy.contradictions import contradictions
from guardrails.settings import settings_file
from guardrails.telemetry import log

__all__ = ["load_config"]


def load_config(
    file: Path | None = None,
    *,
    said: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> ServeConfig:
    """Read `[serve]` of this file, or of the settings' own if it has one; `said` goes before.

    Raises SettingsError that names the file and the key that is wrong, and for what would serve
    the provider's key to anybody.
    """
    own = settings_file(environ)
    found, said = file or own, said or {}
    text = "" if found is None else _text(found)
    in_file = {}
    if found is not None:
        in_file = _table(text, found, is_settings=own is not None and _same(found, own))
    if file is not None and not in_file:
        raise SettingsError(f"{file}: no table [serve] in it")
    values = _over(in_file, said)
    tell = _teller(found, text, said)
    try:
        config = ServeConfig.model_validate(values)
    except ValidationError as error:
        told = wrongs(error, values, tell=tell, known=_fields_at, hints=MISSING)
        raise SettingsError("\n".join(told)) from None
    if found_wrong := [tell(steps, what) for steps, what in contradictions(config)]:
        raise SettingsError("\n".join(found_wrong))
    return config


def _same(file: Path, other: Path) -> bool:
    return file.absolute() == other.absolute()


def _over(values: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for name, value in said.items():
        old = merged.get(name)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[name] = _over(old, value) if both else value  # type: ignore[arg-type]  # as found
    return merged


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")  # editors may put a mark before it
    except FileNotFoundError:
        raise SettingsError(f"{file}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read as TOML: {error}") from None


def _table(text: str, file: Path, *, is_settings: bool) -> dict[str, Any]:
    """Warns of other settings in a file that nobody reads them from."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: cannot be read as TOML: {error}") from None
    table = values.get("serve", {})
    if not isinstance(table, dict):
        raise SettingsError(f"{file}: serve: expected a table [serve]")
    if not is_settings and (others := [name for name in values if name != "serve"]):
        log.warning(
            "of this file only [serve] is read; name it in GUARDRAILS_SETTINGS to have all of it",
            file=str(file),
            not_read=", ".join(others)[:150],
        )
    return table


def _teller(file: Path | None, text: str, said: Mapping[str, Any]) -> Callable[[Steps, str], str]:
    """Puts the option, or the place in the file, before what is wrong."""
    found = places(text)

    def tell(steps: Steps, what: str) -> str:
        key = f"serve.{'.'.join(steps)}" if steps else "serve"
        if _is_said(steps, said):
            return f"--{'-'.join(steps).replace('_', '-')}: {what}"
        if file is None:
            return f"{key}: {what}"
        line, column = found(("serve", *steps))
        return f"{file}:{line}:{column}: {key}: {what}"

    return tell


def _is_said(steps: Steps, said: Mapping[str, Any]) -> bool:
    """Whether a value is an option's."""
    if not steps or steps[0] not in said:
        return False
    within = said[steps[0]]
    return _is_said(steps[1:], within) if isinstance(within, Mapping) else True


MISSING: Mapping[Steps, str] = {
    ("upstream",): "give --upstream URL, or put it into the file",
    ("constitution",): "give --constitution NAME, or put it into the file",
}
_TABLES: Mapping[str, type[BaseModel]] = {
    "limits": Limits,
    "allow": Allowed,
    "routes": RouteConfig,
    "clients": ClientConfig,
    "check": CheckConfig,
    "operations": Operations,
    "tls": Tls,
}


def _fields_at(steps: Steps) -> list[str]:
    table = _TABLES.get(steps[0], ServeConfig) if steps else ServeConfig
    return list(table.model_fields)
