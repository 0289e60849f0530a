"""The loop for callers that have none: nothing that runs on it leaves anybody waiting."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import Any

import pytest

from guardrails.loop.private import run_apart, start_apart

PATIENCE_S = 20


async def raises(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


async def stops() -> str:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0.01)
    return "went on"


async def breaks() -> None:
    """An error of the loop itself, as of a selector whose files are gone."""
    loop: Any = asyncio.get_running_loop()

    def select(timeout: float | None) -> None:
        loop._selector.select = normal
        raise OSError("gone")

    normal, loop._selector.select = loop._selector.select, select
    await asyncio.sleep(0)
    await asyncio.sleep(3_600)


async def thread() -> str:
    return f"{threading.current_thread().name} {threading.get_ident()}"


def waiting() -> Future[Any]:
    """Somebody else's call that is under way."""
    begun = threading.Event()

    async def wait() -> None:
        begun.set()
        await asyncio.sleep(3_600)

    done = start_apart(wait())
    assert begun.wait(PATIENCE_S)
    return done


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_what_ends_a_loop_is_told_to_its_caller_and_hurts_no_other(error: BaseException) -> None:
    before, other = run_apart(thread()), waiting()
    with pytest.raises(type(error)):
        start_apart(raises(error)).result(PATIENCE_S)
    assert run_apart(thread()) == before
    assert not other.done()


def test_a_loop_that_is_stopped_goes_on() -> None:
    before = run_apart(thread())
    assert start_apart(stops()).result(PATIENCE_S) == "went on"
    assert run_apart(thread()) == before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_loop_that_breaks_fails_all_who_wait_and_the_next_caller_gets_another() -> None:
    other = waiting()
    served = int(run_apart(thread()).split()[-1])
    (serving,) = (one for one in threading.enumerate() if one.ident == served)
    broken = start_apart(breaks())
    for done in (broken, other):
        with pytest.raises(RuntimeError, match="broke down"):
            done.result(PATIENCE_S)
    assert start_apart(thread()).result(PATIENCE_S).startswith("guardrails-sync")
    serving.join(PATIENCE_S)  # what it says of its end belongs to this test
