"""Several processes that share the listeners: started, told, and started again when one ends."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from multiprocessing.process import BaseProcess
from types import FrameType

from guardrails.errors import GuardrailsError, SettingsError
from guardrails.proxy import logs
from guardrails.proxy.config import ServeConfig
from guardrails.proxy.metrics import FOLDER
from guardrails.proxy.signals import hear_reloads, hold_reloads
from guardrails.telemetry import OwnText, log

__all__ = ["Workers"]

LOOK_S = 0.2
TO_START_AGAIN_S = 1.0
"""A process that ends at once is not started without a pause."""
SHORT_LIFE_S = 5.0
MOST_SHORT_LIVES = 5


def _work(
    config: ServeConfig, public: socket.socket, operations: socket.socket | None, parent: int
) -> None:
    """What a process does. Ctrl-C reaches it, too, and is its parent's."""
    from guardrails.proxy.server import make_proxy, run

    logs.set_up()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run(make_proxy(config), public, operations, signals=(signal.SIGTERM,), parent=parent)
    except GuardrailsError as error:
        log.error("a worker cannot start", problem=OwnText(error))
        sys.exit(2)


def _folder() -> str:
    """Where processes put their numbers together. Raises SettingsError."""
    try:
        return tempfile.mkdtemp(prefix="guardrails-metrics-")
    except OSError as error:
        raise SettingsError(
            f"serve.workers: several processes need a folder for what they count, and none can be "
            f"made: {error.strerror or type(error).__name__}; name one that can be written in "
            f"TMPDIR, or serve with workers = 1"
        ) from None


class Workers:
    """Runs until SIGTERM or SIGINT. The constitutions were loaded once before, so that a mistake
    shows before any process starts."""

    def __init__(
        self, config: ServeConfig, public: socket.socket, operations: socket.socket | None
    ) -> None:
        self._config, self._public, self._operations = config, public, operations
        self._spawn = multiprocessing.get_context("spawn")
        self._processes: dict[int, tuple[BaseProcess, float]] = {}
        self._ending = 0
        self._short_lives = 0
        self._folder = ""

    def run(self) -> int:
        """The exit status: 0, or 1 if processes kept failing. Raises SettingsError."""
        self._folder = os.environ[FOLDER] = _folder()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_end)
        signal.signal(signal.SIGHUP, self._on_again)
        hear_reloads()
        logging.getLogger("guardrails").setLevel(logging.INFO)
        try:
            for _ in range(self._config.workers):
                self._start()
            return self._look_after()
        finally:
            self._stop()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        process = self._spawn.Process(
            target=_work, args=(self._config, self._public, self._operations, os.getpid())
        )
        hold_reloads()  # until it hears them itself
        try:
            process.start()
        finally:
            hear_reloads()
        if process.pid is not None:
            self._processes[process.pid] = process, time.monotonic()

    def _look_after(self) -> int:
        while not self._ending:
            time.sleep(LOOK_S)
            for pid, (process, began) in tuple(self._processes.items()):
                if process.is_alive() or self._ending:
                    continue
                self._forget(pid)
                short = time.monotonic() - began < SHORT_LIFE_S
                self._short_lives = self._short_lives + 1 if short else 0
                log.error("a worker ended", status=process.exitcode, worker=pid)
                if self._short_lives >= MOST_SHORT_LIVES:
                    log.error("workers keep ending; giving up")
                    return 1
                if short:
                    time.sleep(TO_START_AGAIN_S)
                self._start()
        return 0

    def _forget(self, pid: int) -> None:
        from prometheus_client.multiprocess import mark_process_dead

        process, _ = self._processes.pop(pid)
        process.join()
        mark_process_dead(pid, self._folder)  # type: ignore[no-untyped-call]

    def _stop(self) -> None:
        """Wait for as long as they may take to drain, then end what is left. While this process
        held the listeners open, too, connections would wait that nobody takes any more."""
        self._public.close()
        if self._operations is not None:
            self._operations.close()
        self._signal(signal.SIGTERM)
        until = time.monotonic() + self._config.drain_s + self._config.drain_delay_s + 15
        for process, _ in self._processes.values():
            process.join(max(0.0, until - time.monotonic()))
        for process, _ in self._processes.values():
            if process.is_alive():
                process.kill()
                process.join()

    def _signal(self, number: int) -> None:
        for pid, (process, _) in tuple(self._processes.items()):
            if process.is_alive():
                os.kill(pid, number)

    def _on_end(self, number: int, frame: FrameType | None) -> None:
        self._ending += 1
        if self._ending > 1:
            self._signal(signal.SIGTERM)  # a second time: at once

    def _on_again(self, number: int, frame: FrameType | None) -> None:
        self._signal(signal.SIGHUP)
