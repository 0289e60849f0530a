from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from guardrails.errors import SettingsError
from guardrails.settings import Settings, load_settings, state_folder


def write(folder: Path, text: str) -> Path:
    file = folder / "guardrails.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_without_a_word_records_go_to_the_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    settings = load_settings(environ={}, folder=tmp_path)
    assert settings == Settings()
    assert settings.audit_file == tmp_path / "constitutional-guardrails" / "audit.db"
    assert settings.key_path == tmp_path / "constitutional-guardrails" / "key"


def test_variables_win_over_the_file_and_an_empty_one_counts_as_none(tmp_path: Path) -> None:
    write(tmp_path, 'audit = "a.db"\naudit_anchor = "anchor"\naudit_buffer = 5\n')
    environ = {"GUARDRAILS_AUDIT": "b.db", "GUARDRAILS_AUDIT_ANCHOR": ""}
    settings = load_settings(environ=environ, folder=tmp_path)
    assert settings == Settings(audit="b.db", audit_anchor=Path("anchor"), audit_buffer=5)


def test_a_settings_file_may_be_named(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text('audit = "memory"')
    settings = load_settings(environ={"GUARDRAILS_SETTINGS": str(file)}, folder=tmp_path)
    assert settings.audit_file is None


def test_models_of_file_and_variables_are_joined(tmp_path: Path) -> None:
    write(tmp_path, '[models]\nsmall = "anthropic/a"\nlarge = "anthropic/b"\n')
    settings = load_settings(environ={"GUARDRAILS_MODELS_SMALL": "openai/c"}, folder=tmp_path)
    assert settings.models == {"small": "openai/c", "large": "anthropic/b"}


def test_the_key_stands_beside_the_record_unless_it_is_named() -> None:
    assert Settings(audit="/srv/audit.db").key_path == Path("/srv/key")
    assert Settings(audit="/srv/audit.db", key_file=Path("/run/key")).key_path == Path("/run/key")


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    settings = Settings(audit="~/a.db", audit_anchor=Path("~/anchor"), key_file=Path("~/key"))
    assert settings.audit_file == Path("/home/ada/a.db")
    assert settings.audit_anchor == Path("/home/ada/anchor")
    assert settings.key_path == Path("/home/ada/key")


def test_a_relative_state_folder_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    home = Path("/home/ada/.local/state/constitutional-guardrails")
    assert state_folder({"XDG_STATE_HOME": "here"}) == state_folder({}) == home
    assert state_folder({"XDG_STATE_HOME": ""}) == home


def test_a_user_without_a_home_is_told_what_to_set() -> None:
    with pytest.raises(SettingsError, match=r"no home folder; .*GUARDRAILS_AUDIT"):
        _ = Settings(audit="~nobody-of-that-name/a.db").audit_file


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("audti = 1", "audti: unknown key; did you mean 'audit'?"),
        ("colour = 1", "colour: unknown key"),
        ('audit = "postgresql://u:p@h/db"', "audit: expected memory or the path of a file"),
        ('audit = ""', "audit: expected a text that is not empty"),
        ("audit_buffer = -1", "audit_buffer: expected 0 or more"),
        ('audit_keeps = "all"', "audit_keeps: expected 'digest' or 'redacted'"),
        ("models = 3", "models: expected a table"),
        ("[models]\nsmall = 3", "models.small: expected a text"),
        ("[models]\nsmall = 'opus'", "models.small: expected provider/model, such as 'anthropic/"),
        ("[daily.tenant]\nmax_call = 3", "daily.tenant.max_call: unknown key; did you mean 'max_"),
        ("review_webhook = 'a'", "review_webhook: expected an address such as https://a.example"),
        ("audit = ", "cannot be read as TOML: Invalid value (at end of document)"),
        ("audit = 1\naudit = 2", "cannot be read as TOML: Cannot overwrite a value"),
    ],
)
def test_what_is_wrong_in_the_file_is_named_with_its_place(
    tmp_path: Path, text: str, told: str
) -> None:
    file = write(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_settings(environ={"GUARDRAILS_MODELS_LARGE": "m"}, folder=tmp_path)
    assert re.search(rf"{re.escape(str(file))}:(\d+:\d+:)? {re.escape(told)}", str(caught.value))


def test_a_mark_of_the_byte_order_is_no_part_of_the_file(tmp_path: Path) -> None:
    write(tmp_path, "\ufeffaudit = 'memory'")
    assert load_settings(environ={}, folder=tmp_path).audit_file is None


def test_what_is_wrong_in_a_variable_is_named_with_it(tmp_path: Path) -> None:
    environ = {"GUARDRAILS_AUDIT_BUFFER": "many", "GUARDRAILS_ON_AUDIT_FAILURE": "ignore"}
    with pytest.raises(SettingsError) as caught:
        load_settings(environ=environ, folder=tmp_path)
    first, second = str(caught.value).splitlines()
    assert first == "GUARDRAILS_AUDIT_BUFFER: expected a whole number"
    assert second == "GUARDRAILS_ON_AUDIT_FAILURE: expected 'block' or 'buffer'"


def test_a_misspelt_variable_is_an_error_and_another_projects_is_not(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="did you mean GUARDRAILS_AUDIT_KEEPS"):
        load_settings(environ={"GUARDRAILS_AUDIT_KEEP": "redacted"}, folder=tmp_path)
    others = {"GUARDRAILS_TOKEN": "t", "GUARDRAILS_RUN_SYNC": "true"}
    assert load_settings(environ=others, folder=tmp_path) == Settings()


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "not-utf-8"])
def test_a_named_file_that_cannot_be_read_is_an_error(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "named.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"named\.toml: (no such|cannot be read)"):
        load_settings(environ={"GUARDRAILS_SETTINGS": str(file)}, folder=tmp_path)


def test_a_folder_in_place_of_the_named_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(environ={"GUARDRAILS_SETTINGS": str(tmp_path)}, folder=tmp_path)


def test_errors_do_not_repeat_a_value_which_may_be_a_secret(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ={"GUARDRAILS_AUDIT_KEEPS": "hunter2"}, folder=tmp_path)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ValidationError) as direct:
        Settings(audit_keeps="hunter2")  # type: ignore[arg-type]
    assert "hunter2" not in str(direct.value)
