"""`constitution playground`: serve the page, on this machine only unless told otherwise."""

from __future__ import annotations

import asyncio
import logging
import socket
from types import FrameType

from guardrails.cli.outcome import Status
from guardrails.cli.reading import InputError
from guardrails.cli.screen import note
from guardrails.playground.bench import Bench
from guardrails.playground.server import LOOPBACK, playground_app
from guardrails.settings import load_settings

__all__ = ["serve_playground"]


def serve_playground(name: str, *, host: str, port: int) -> int:
    """Serve until interrupted. Raises InputError if the address cannot be used."""
    bench = Bench(name, load_settings())
    bench.check_name()
    bound = _bind(host, port)
    address = bound.getsockname()
    shown = f"[{host}]" if ":" in host else host
    if host not in LOOPBACK:
        note(f"whoever reaches {host} can use this page: it asks for no password", style="yellow")
    note(f"http://{shown}:{address[1]}  (Ctrl-C ends it)")
    asyncio.run(_serve(bench, bound, host=host, port=address[1]))
    return Status.FINE


async def _serve(bench: Bench, bound: socket.socket, *, host: str, port: int) -> None:
    import uvicorn

    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    app = playground_app(bench, host=host, port=port)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=1, ws="none"
    )

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            bench.end()  # or it would wait for the pages that wait for a change
            super().handle_exit(sig, frame)

    await Server(config).serve(sockets=[bound])


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen()  # who follows the address at once waits until the file is loaded
    except OSError as error:
        bound.close()
        raise InputError(
            f"{host}:{port} cannot be served: {error.strerror or error}; name another --port, or 0 "
            f"for any"
        ) from None
    return bound
