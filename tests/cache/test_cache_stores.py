"""Where verdicts are kept: bounded in memory, shared and never in the way in Redis."""

from __future__ import annotations

import asyncio
import builtins
import logging
import threading
import time
from typing import Any

import pytest
from redis_samples import NONSENSE, Server, talking_nonsense

from guardrails.cache.connection import shown_address
from guardrails.cache.memory import OVERHEAD, MemoryStore
from guardrails.cache.names import Name
from guardrails.cache.redis import AWAY_S, TIMEOUT_S, RedisStore
from guardrails.cache.value import Kept, Place
from guardrails.cache.verdicts import Store, VerdictCache, open_cache
from guardrails.errors import SettingsError
from guardrails.settings import Settings, load_settings

KEY = b"k" * 32
PASS = Kept(value="pass")
BREACH = Kept(value="breach", place=Place(piece=0, span=(2, 5)))
SLACK_S = 0.3  # for a busy machine, beside the time-out


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def name(n: int) -> Name:
    return n.to_bytes(32, "big")


class Fixed:
    """A store that holds what a test puts there."""

    kind, away, outages = "fixed", False, 0

    def __init__(self) -> None:
        self.held: dict[Name, bytes] = {}

    async def get(self, names: Any) -> list[bytes | None]:
        return [self.held.get(name) for name in names]

    async def put(self, values: Any, *, ttl_s: int) -> None:
        self.held |= values

    async def aclose(self) -> None:
        return None


async def test_the_least_recently_used_goes_first() -> None:
    store = MemoryStore(entries=3)
    await store.put({name(n): b"v" for n in range(3)}, ttl_s=10)
    await store.get([name(0)])
    await store.put({name(3): b"v"}, ttl_s=10)
    assert await store.get([name(n) for n in range(4)]) == [b"v", None, b"v", b"v"]
    assert (len(store), store.evicted) == (3, 1)


async def test_memory_is_bounded_by_bytes_too() -> None:
    size = OVERHEAD + 32 + 100
    store = MemoryStore(entries=10**6, most_bytes=10 * size)
    for n in range(100):
        await store.put({name(n): b"v" * 100}, ttl_s=10)
        assert store.bytes <= 10 * size
    assert len(store) == 10
    await store.put({name(99): b"w" * 100}, ttl_s=10)
    assert (len(store), store.bytes) == (10, 10 * size)


async def test_what_is_old_is_gone_from_memory() -> None:
    clock = Clock()
    store = MemoryStore(entries=3, clock=clock)
    await store.put({name(0): b"v"}, ttl_s=10)
    clock.now += 9.9
    assert await store.get([name(0)]) == [b"v"]
    clock.now += 0.1
    assert await store.get([name(0)]) == [None]
    assert (len(store), store.bytes) == (0, 0)


def test_threads_and_loops_share_memory() -> None:
    store = MemoryStore(entries=50)
    failed: list[BaseException] = []

    async def work(first: int) -> None:
        for n in range(300):
            await store.put({name(first + n % 40): b"v"}, ttl_s=10)
            await store.get([name(n % 60)])

    def run(first: int) -> None:
        try:
            asyncio.run(work(first))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(n * 20,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(store) == 50
    assert store.bytes == 50 * (OVERHEAD + 33)


@pytest.mark.parametrize("ttl_s", [60, 3600])
async def test_a_verdict_is_as_old_as_when_it_was_said(ttl_s: int) -> None:
    clock = Clock()
    cache = VerdictCache(Fixed(), KEY, clock=clock)
    await cache.put({name(1): PASS, name(2): BREACH}, ttl_s=86_400)
    clock.now += ttl_s - 1
    assert await cache.get([name(1), name(2)], ttl_s=ttl_s) == {name(1): PASS, name(2): BREACH}
    clock.now += 1
    assert await cache.get([name(1), name(2)], ttl_s=ttl_s) == {}
    clock.now -= 10 * ttl_s
    assert await cache.get([name(1)], ttl_s=ttl_s) == {}, "said in the future"


async def test_a_wrong_mac_is_a_miss_and_told(caplog: pytest.LogCaptureFixture) -> None:
    store = Fixed()
    cache = VerdictCache(store, KEY)
    await cache.put({name(1): BREACH, name(2): PASS}, ttl_s=60)
    store.held[name(1)] = store.held[name(2)]  # a true value in the wrong place
    with caplog.at_level(logging.DEBUG, "guardrails"):
        assert await cache.get([name(1), name(2)], ttl_s=60) == {name(2): PASS}
    assert "verdict_cache_forged" in caplog.text
    assert (cache.status.hits, cache.status.misses, cache.status.forged) == (1, 1, 1)


def test_caches_in_memory_with_one_key_share_what_they_keep() -> None:
    async def shared(first: VerdictCache, second: VerdictCache) -> bool:
        await first.put({name(7): PASS}, ttl_s=60)
        return bool(await second.get([name(7)], ttl_s=60))

    def made(key: bytes | None) -> VerdictCache:
        cache = open_cache(Settings(), key)
        assert cache is not None
        return cache

    assert asyncio.run(shared(made(KEY), made(KEY)))
    assert not asyncio.run(shared(made(KEY), made(b"l" * 32)))
    assert not asyncio.run(shared(made(None), made(None)))


def test_off_is_off() -> None:
    assert open_cache(Settings(cache="off"), KEY) is None


# Redis


async def test_replicas_share_a_redis(server: Server) -> None:
    one, two = (VerdictCache(RedisStore(server.url), KEY) for _ in range(2))
    await one.put({name(1): PASS, name(2): BREACH}, ttl_s=60)
    assert await two.get([name(2), name(1), name(3)], ttl_s=60) == {name(1): PASS, name(2): BREACH}
    with server.client() as here:
        lives = [here.ttl(key) for key in here.keys("guardrails:verdict:*")]
    assert len(lives) == 2
    assert all(50 < life <= 60 for life in lives)
    await one.aclose()
    await two.aclose()


async def test_a_forged_value_in_redis_is_a_miss(server: Server) -> None:
    cache = VerdictCache(RedisStore(server.url), KEY)
    await cache.put({name(1): BREACH}, ttl_s=60)
    with server.client() as here:
        (key,) = here.keys("*")
        value = here.get(key)
        here.set(key, value.replace(b"breach", b"pass"))
    assert await cache.get([name(1)], ttl_s=60) == {}
    with server.client() as here:
        here.delete(key)
        here.lpush(key, "no text")
    assert await cache.get([name(1)], ttl_s=60) == {}
    assert cache.status.forged == 1
    await cache.aclose()


async def timed(store: Store) -> float:
    began = time.monotonic()
    assert await store.get([name(1)]) == [None]
    await store.put({name(1): b"v"}, ttl_s=60)
    return time.monotonic() - began


async def test_a_redis_that_dies_and_comes_back(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    store = RedisStore(server.url, clock=clock)
    await store.put({name(1): b"v"}, ttl_s=60)
    assert await store.get([name(1)]) == [b"v"]
    server.kill()
    with caplog.at_level(logging.DEBUG, "guardrails"):
        assert await timed(store) < TIMEOUT_S + SLACK_S
        assert store.away
        for _ in range(50):
            assert await timed(store) < SLACK_S
        assert store.outages == 1, "left alone while it is away"
        server.start()
        clock.now += AWAY_S
        await store.put({name(1): b"w"}, ttl_s=60)
        assert await store.get([name(1)]) == [b"w"]
    assert not store.away
    assert caplog.text.count("verdict_cache_away") == 1
    assert caplog.text.count("verdict_cache_back") == 1
    assert str(server.port) not in caplog.text
    await store.aclose()


async def test_what_redis_has_closed_is_not_used_again(server: Server) -> None:
    """It closes who says nothing for long (`timeout`), and everybody as it is started again: that
    is no outage, and nobody is to be refused a budget for it."""
    store, other = RedisStore(server.url), RedisStore(server.url)
    for each in (store, other):
        await asyncio.gather(*(each.put({name(n): b"v"}, ttl_s=60) for n in range(8)))
    with server.client() as here:
        here.client_kill_filter(_type="normal", skipme=True)
    await asyncio.sleep(0.05)
    for each in (store, other):
        assert await asyncio.gather(*(each.get([name(n)]) for n in range(8))) == [[b"v"]] * 8
    assert (store.outages, store.away) == (0, False)
    for each in (store, other):
        await each.aclose()


async def test_once_it_is_back_it_stays(server: Server) -> None:
    clock = Clock()
    stores = [RedisStore(server.url, clock=clock) for _ in range(3)]
    for each in stores:
        await asyncio.gather(*(each.put({name(n): b"v"}, ttl_s=60) for n in range(8)))
    server.kill()
    await stores[0].put({name(1): b"w"}, ttl_s=60)
    assert stores[1].away
    server.start()
    clock.now += AWAY_S
    await stores[0].put({name(1): b"w"}, ttl_s=60)
    for each in stores:
        assert await asyncio.gather(*(each.get([name(1)]) for n in range(8))) == [[b"w"]] * 8
    assert (stores[0].outages, stores[0].away) == (1, False)
    for each in stores:
        await each.aclose()


async def test_a_redis_that_hangs_costs_one_time_out(server: Server) -> None:
    store = RedisStore(server.url)
    await store.put({name(1): b"v"}, ttl_s=60)
    server.freeze()
    assert await timed(store) < TIMEOUT_S + SLACK_S
    assert store.away
    await store.aclose()


async def test_a_redis_that_never_was(server: Server) -> None:
    server.kill()
    store = RedisStore(server.url)
    assert await timed(store) < TIMEOUT_S + SLACK_S
    assert (store.away, store.outages) == (True, 1)
    await store.aclose()


@pytest.mark.parametrize("said", NONSENSE)
async def test_a_redis_that_talks_nonsense_is_as_good_as_none(said: str) -> None:
    async with talking_nonsense(NONSENSE[said]) as url:
        cache = VerdictCache(RedisStore(url), KEY)
        assert await cache.get([name(1), name(2)], ttl_s=60) == {}
        await cache.put({name(1): PASS, name(2): BREACH}, ttl_s=60)
        assert await cache.get([name(1), name(2)], ttl_s=60) == {}
        await cache.aclose()


async def test_many_at_once_share_few_connections(server: Server) -> None:
    store = RedisStore(server.url, timeout_s=5)
    await asyncio.gather(*(store.put({name(n): b"v"}, ttl_s=60) for n in range(200)))
    found = await asyncio.gather(*(store.get([name(n)]) for n in range(200)))
    assert all(values == [b"v"] for values in found)
    with server.client() as here:
        assert len(here.client_list()) <= 17
    await store.aclose()


def test_each_loop_has_its_own_connections_and_closes_them(server: Server) -> None:
    store = RedisStore(server.url)

    async def once() -> None:
        await store.put({name(1): b"v"}, ttl_s=60)
        assert await store.get([name(1)]) == [b"v"]

    for _ in range(3):
        asyncio.run(once())
    with server.client() as here:
        assert len(here.client_list()) == 1


async def test_cancelling_harms_no_later_operation(server: Server) -> None:
    store = RedisStore(server.url)
    await store.put({name(n): bytes([n]) for n in range(100)}, ttl_s=60)
    for n in range(100):
        task = asyncio.ensure_future(store.get([name(n)]))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await store.get([name(n)]) == [bytes([n])]
    await store.aclose()


# Settings


async def test_stores_at_one_redis_find_its_outage_once(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "guardrails")
    server.kill()
    stores = [RedisStore(server.url) for _ in range(3)]
    for store in stores:
        await store.put({name(1): b"x"}, ttl_s=1)
    assert [store.away for store in stores] == [True] * 3
    assert stores[0].outages == 1
    assert caplog.text.count("verdict_cache_away") == 1
    assert "models are asked again" in caplog.text
    for store in stores:
        await store.aclose()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("redis://user:hunter2@cache.example/3?db=4", "redis://cache.example:6379/3"),
        ("rediss://:hunter2@[::1]:7000", "rediss://[::1]:7000"),
        ("redis://localhost:6379?password=hunter2", "redis://localhost:6379"),
        ("unix:///run/redis.sock?password=hunter2", "unix:///run/redis.sock"),
        ("unix://user:hunter2@/run/redis.sock", "unix:///run/redis.sock"),
        ("redis://:1/hunter2@cache.example:6379/0", "redis://…"),
        ("redis://cache.example:6379/hunter2", "redis://cache.example:6379"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert shown_address(url) == shown


def test_redis_needs_a_key_that_lasts() -> None:
    with pytest.raises(SettingsError, match="GUARDRAILS_KEY_FILE"):
        open_cache(Settings(cache="redis://h/0"), None)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = builtins.__import__

    def missing(name: str, *more: Any, **named: Any) -> Any:
        if name.partition(".")[0] == "redis":
            raise ImportError(name)
        return found(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(SettingsError, match=r"constitutional-guardrails\[redis\]"):
        open_cache(Settings(cache="redis://h/0"), KEY)


@pytest.mark.parametrize("url", ["redis://secret@h:port/0", "redis://:secret@[h/0"])
def test_an_address_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        open_cache(Settings(cache=url), KEY)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_password_in_the_address_is_in_no_repr(server: Server) -> None:
    settings = Settings(cache="redis://:secret@h/0")
    assert "secret" not in repr(settings)
    cache = open_cache(settings, KEY)
    assert "secret" not in repr(cache)


def test_settings_of_the_cache() -> None:
    environ = {"GUARDRAILS_CACHE": "rediss://h/1", "GUARDRAILS_CACHE_ENTRIES": "5"}
    settings = load_settings(environ=environ)
    assert (settings.cache, settings.cache_entries) == ("rediss://h/1", 5)
    assert (Settings().cache, Settings().cache_entries) == ("memory", 50_000)
    for wrong in ("http://h", "disk", "redis:h"):
        with pytest.raises(SettingsError, match="expected memory, off, or an address"):
            load_settings(environ={"GUARDRAILS_CACHE": wrong})
    with pytest.raises(SettingsError, match="GUARDRAILS_CACHE_ENTRIES"):
        load_settings(environ={"GUARDRAILS_CACHE_ENTRIES": "0"})
