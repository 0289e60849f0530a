"""Content codings: undone whole or not at all, and never further than the limit."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from asgi_house import REPLY, Records, Said, Script, plain_app
from asgi_server import ask, serving

from guardrails.asgi import GuardrailMiddleware
from guardrails.asgi.codings import CodingError, TooLongError, decoded
from guardrails.guard import Guard


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data, wbits=-15)


def zstd(data: bytes) -> bytes:
    return bytes(zstandard.ZstdCompressor().compress(data))


def zstd_of_unknown_length(data: bytes) -> bytes:
    writer = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    return bytes(writer.compress(data) + writer.flush())


SKIPPED = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
"""A frame of zstd's that holds nothing for whoever reads the content."""

CODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip, in capitals": ("X-GZip", gzip.compress),
    "gzip of two members": ("gzip", lambda d: gzip.compress(d[:3]) + gzip.compress(d[3:])),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstd),
    "zstd of unknown length": ("zstd", zstd_of_unknown_length),
    "zstd of several frames": ("zstd", lambda d: SKIPPED + zstd(d[:3]) + SKIPPED + zstd(d[3:])),
    "two codings": ("br, gzip", lambda d: gzip.compress(brotli.compress(d))),
    "identity": ("identity", lambda d: d),
    "nothing": ("", lambda d: d),
}
TEXT = "It is forbidden, übrigens. ".encode() * 40


@pytest.mark.parametrize(("name", "encode"), CODINGS.values(), ids=CODINGS)
def test_a_coding_is_undone(name: str, encode: Callable[[bytes], bytes]) -> None:
    assert decoded(encode(TEXT), name, limit=len(TEXT)) == TEXT
    if name not in ("identity", ""):
        with pytest.raises(TooLongError):
            decoded(encode(TEXT), name, limit=len(TEXT) - 1)


@pytest.mark.parametrize(
    ("name", "encode"), [CODINGS[id] for id in CODINGS if id not in ("identity", "nothing")],
    ids=[id for id in CODINGS if id not in ("identity", "nothing")],
)  # fmt: skip
def test_what_is_cut_off_anywhere_is_refused(name: str, encode: Callable[[bytes], bytes]) -> None:
    whole = encode(b"a short text that holds words")
    texts = set()
    for end in range(1, len(whole)):
        try:
            texts.add(decoded(whole[:end], name, limit=10_000))
        except CodingError:
            continue
    assert texts <= {b"", b"a s"}, "only between two members is there an end"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (gzip.compress(b"x", mtime=0) + b"more", "gzip"),
        (gzip.compress(b"x", mtime=0) + b"\0\0\0\0", "gzip"),
        (gzip.compress(b"x", mtime=0)[:-8] + b"\0" * 8, "gzip"),
        (b"plain", "gzip"),
        (b"plain", "deflate"),
        (b"plain text", "br"),
        (brotli.compress(b"x") + b"more", "br"),
        (b"plain", "zstd"),
        (zstd(b"x") + b"more, and more", "zstd"),
        (b"x", "sdch"),
        (b"x", "gzip, gzip, gzip"),
        (b"x", "compress"),
    ],
    ids=str,  # workers must agree on them: no time of day
)
def test_what_is_not_what_it_says_is_refused(data: bytes, name: str) -> None:
    with pytest.raises(CodingError):
        decoded(data, name, limit=10_000)


BOMBS = """
import gzip, json, resource, sys, zlib
import brotli, zstandard
from guardrails.asgi.codings import TooLongError, decoded

size, block = int(sys.argv[1]), bytes(1 << 20)
def streamed(writer, finish):
    return b"".join([*(writer(block) for _ in range(size >> 20)), finish()])
def bomb(name):
    if name == "members":
        return gzip.compress(block) * (size >> 20)
    if name == "gzip":
        c = zlib.compressobj(1, wbits=31); return streamed(c.compress, c.flush)
    if name == "deflate":
        c = zlib.compressobj(1); return streamed(c.compress, c.flush)
    if name == "br":
        c = brotli.Compressor(quality=1); return streamed(c.process, c.finish)
    c = zstandard.ZstdCompressor(level=1).compressobj(); return streamed(c.compress, c.flush)
said = {}
for name in ("members", "gzip", "deflate", "br", "zstd"):
    data = bomb(name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        decoded(data, "gzip" if name == "members" else name, limit=1_000_000)
        said[name] = "passed"
    except TooLongError:
        said[name] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps(said))
"""


@pytest.mark.parametrize(
    "size_mib", [64, pytest.param(1024, marks=pytest.mark.proof)], ids=["64 MiB", "1 GiB"]
)
def test_a_bomb_is_refused_in_little_memory(size_mib: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BOMBS, str(size_mib << 20)], capture_output=True, text=True,
        timeout=50,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name, grown_kb in json.loads(done.stdout).items():
        assert isinstance(grown_kb, int), f"{name} passed"
        assert grown_kb < 24_000, name


def test_a_million_bytes_of_empty_members_take_no_time() -> None:
    data = gzip.compress(b"") * 50_000
    start = time.process_time()
    assert decoded(data, "gzip", limit=1000) == b""
    assert time.process_time() - start < 3


@pytest.mark.parametrize(("name", "encode"), CODINGS.values(), ids=CODINGS)
async def test_coded_bodies_are_judged_both_ways(
    guard: Guard, script: Script, records: Records, name: str, encode: Callable[[bytes], bytes]
) -> None:
    """Clean ones go on as they came, changed ones without their coding."""
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": "text"})
    coded = {"content-encoding": name} if name else {}
    async with serving(guarded, lifespan="off") as port:
        blocked = await ask(port, "/", encode(TEXT), headers=coded)
        assert (blocked.verdict, script.seen) == ("block", [])

        clean = encode(b"a clean text")
        script.said = Said(clean, headers=coded)
        got = await ask(port, "/", clean, headers=coded)
        assert (got.body, got.headers.get("content-encoding", "")) == (clean, name)
        assert script.seen[-1].body == clean
        assert script.seen[-1].headers.get("content-encoding", "") == name

        secret = encode(b"a secret text")
        script.said = Said(secret, headers=coded)
        got = await ask(port, "/", secret, headers=coded)
        assert got.body == b"a  text"
        assert script.seen[-1].body == b"a  text"
        for headers, body in ((got.headers, got.body), (script.seen[-1].headers, b"a  text")):
            assert "content-encoding" not in headers
            assert headers["content-length"] == str(len(body))

        script.said = Said(encode(TEXT), headers=coded)
        got = await ask(port, "/", b"hi")
        assert (got.body, got.verdict) == (REPLY.encode(), "block")
    records.how()


@pytest.mark.parametrize("name", ["sdch", "gzip", "gzip, br, zstd"])
async def test_what_cannot_be_decoded_is_undecided_both_ways(
    guard: Guard, script: Script, records: Records, name: str
) -> None:
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": "text"})
    async with serving(guarded, lifespan="off") as port:
        refused = await ask(port, "/", b"plain", headers={"content-encoding": name})
        assert not script.seen
        script.said = Said(b"plain", headers={"content-encoding": name})
        stopped = await ask(port, "/", b"hi")
    for got in (refused, stopped):
        assert (got.verdict, got.body) == ("block", REPLY.encode())
    assert [str(record.cause) for record in records.opened if record.cause] == ["undecided"] * 2


async def test_a_bomb_sent_to_a_server_is_refused(guard: Guard, script: Script) -> None:
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": "text"})
    bomb = gzip.compress(bytes(1 << 20)) * 64
    async with serving(guarded, lifespan="off") as port:
        got = await ask(port, "/", bomb, headers={"content-encoding": "gzip"})
        assert (got.status, script.seen) == (413, [])
        script.said = Said(bomb, headers={"content-encoding": "gzip"})
        got = await ask(port, "/", b"hi")
        assert (got.status, got.body) == (200, REPLY.encode())
