from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from guardrails.telemetry import OwnText, log

SECRET = "the user's own words"


def test_the_librarys_logger_has_its_name_and_no_handler(caplog: pytest.LogCaptureFixture) -> None:
    log.warning("the store fails", entries=3)
    (record,) = caplog.records
    assert record.name == "guardrails"
    assert record.getMessage() == "event='the store fails' entries=3"
    assert logging.getLogger("guardrails").handlers == []


def test_promise_9_no_message_of_an_exception_and_no_long_text_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        log.error("failed", error=error, exc_info=True)
        log.exception("failed again", text=SECRET * 50)
    assert SECRET not in caplog.text
    assert "error='ValueError'" in caplog.records[0].getMessage()
    assert "text='<1000 characters>'" in caplog.records[1].getMessage()


def test_what_is_the_operators_own_is_logged_whole_within_bounds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log.error("failed", problem=OwnText("a" * 1_000))
    log.error("failed", problem=OwnText("a" * 100_000))
    whole, cut = (record.getMessage() for record in caplog.records)
    assert "a" * 1_000 in whole
    assert len(cut) < 5_000


def test_a_level_that_is_off_costs_nothing_and_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log.debug("detail", number=1)
    assert caplog.records == []


def test_it_neither_prints_nor_changes_what_the_application_has_set_up() -> None:
    code = (
        "import logging, structlog; from guardrails.telemetry import log; log.info('quiet');"
        "assert not structlog.is_configured(); assert not logging.getLogger().handlers"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == done.stderr == ""
