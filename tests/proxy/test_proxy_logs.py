"""What the process logs: a JSON object a line, fields apart, and no text of an exception."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from guardrails.proxy.logs import set_up
from guardrails.telemetry import log


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root, own = logging.getLogger(), logging.getLogger("guardrails")
    kept = root.handlers[:], root.level, own.level
    written = io.StringIO()
    set_up(stream=written)
    yield written
    root.handlers[:], level, own_level = kept
    root.setLevel(level)
    own.setLevel(own_level)
    logging.getLogger("uvicorn.access").disabled = False


def test_fields_stand_apart(stream: io.StringIO) -> None:
    log.info("serving", address="http://127.0.0.1:8080", workers=2, error=ValueError("marker"))
    logging.getLogger("somebody").warning("a line of %s", "theirs")
    ours, theirs = map(json.loads, stream.getvalue().splitlines())
    assert (ours["event"], ours["workers"], ours["error"]) == ("serving", 2, "ValueError")
    assert (theirs["logger"], theirs["event"]) == ("somebody", "a line of theirs")
    assert {"time", "level"} <= ours.keys() & theirs.keys()


def test_promise_9_an_exception_is_told_by_its_type(stream: io.StringIO) -> None:
    try:
        raise ValueError("marker")
    except ValueError:
        logging.getLogger("somebody").exception("it failed")
    assert "marker" not in stream.getvalue()
    assert json.loads(stream.getvalue())["error"] == "ValueError"
