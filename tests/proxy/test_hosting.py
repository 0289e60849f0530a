"""Constitutions are loaded again; what has begun under one ends under it."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from proxy_house import CONSTITUTION, REPLY, config_of, provider, serving, until, written
from proxy_wire import MESSAGES, Got, ask, connected, got, messages, request

from guardrails.errors import ConstitutionError
from guardrails.settings import Settings
from guardrails.testing import FakeProvider

NEWER = CONSTITUTION.replace("version: 1.0.0", "version: 1.1.0")
CHILD = """
schema: 1
id: child
version: 1.0.0
extends: [house@^1]
principles: []
"""


@pytest.fixture
def upstream() -> Iterator[FakeProvider]:
    with provider("Four.") as made:
        yield made


def under(answer: Got) -> str:
    return answer.headers["guardrails-constitution"]


@pytest.mark.parametrize("name", ["finance", "child"], ids=["itself", "its parent"])
def test_no_other_of_the_same_name_stands_in_for_what_is_gone(tmp_path: Path, name: str) -> None:
    """A folder that is unmounted must not put shipped rules in the place of one's own."""
    own = written(tmp_path, CONSTITUTION.replace("id: house", "id: finance"), "finance")
    written(tmp_path, CHILD.replace("house@^1", "finance@^1"), "child")
    settings = Settings(audit="memory", constitutions=tmp_path)
    with (
        provider("Four.") as made,
        serving(config_of(made.url, name), settings=settings) as house,
    ):
        before = under(ask(house.port, MESSAGES, messages()))
        text = own.read_text()
        own.unlink()
        assert not house.reload()
        assert under(ask(house.port, MESSAGES, messages())) == before
        answer = ask(house.port, MESSAGES, messages("A forbidden thing."))
        assert answer.json["content"][0]["text"] == REPLY
        told = ask(house.operations_port, "/readyz", method="GET").body.decode()
        assert f"{own} is gone" in told
        own.write_text(text)
        assert house.reload()
        own.unlink()
        if name == "child":  # whoever no longer extends it may do without it
            (tmp_path / "child.yaml").write_text(CHILD.replace("house@^1", "base@^1"))
            assert house.reload()


def test_many_reloads_at_once_are_two(upstream: FakeProvider, tmp_path: Path) -> None:
    """One that is under way, and one behind it that finds what is newest."""
    file = written(tmp_path)
    with serving(config_of(upstream.url, file)) as house:

        def many() -> None:
            for _ in range(50):
                house.serving.reload()

        file.write_text(NEWER)
        house.loop.call_soon_threadsafe(many)
        until(lambda: house.metric("guardrails_proxy_reloads_total", result="done") == 2)
        assert house.reload(), "which waits for all others"
        assert house.metric("guardrails_proxy_reloads_total", result="done") == 3
        assert under(ask(house.port, MESSAGES, messages())) == "house@1.1.0"


def test_what_has_begun_ends_under_the_constitution_it_began_with(tmp_path: Path) -> None:
    release = threading.Event()

    async def slow(asked: Any) -> str:
        if "slowly" in asked.text:
            await asyncio.to_thread(release.wait, 20)
        return "Four."

    file = written(tmp_path)
    with provider(slow) as made, serving(config_of(made.url, file)) as house:
        old = house.proxy.hosting.guards
        with connected(house.port) as connection:
            connection.sendall(request(MESSAGES, messages("Answer slowly.")))
            while not made.requests.total:
                threading.Event().wait(0.01)
            file.write_text(NEWER)
            assert house.reload()
            assert under(ask(house.port, MESSAGES, messages())) == "house@1.1.0"
            assert house.proxy.hosting.guards != old
            release.set()
            assert under(got(connection)) == "house@1.0.0"
    assert [how for *_, how in house.records.how()] == 4 * ["judged"]


def test_a_file_that_is_wrong_changes_nothing(
    upstream: FakeProvider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = written(tmp_path)
    with serving(config_of(upstream.url, file)) as house:
        for wrong in ("", "id: [", CONSTITUTION.replace("pattern:", "patern:"), None):
            caplog.clear()
            if wrong is None:
                file.unlink()
            else:
                file.write_text(wrong)
            assert not house.reload()
            assert "the old one stays" in caplog.text
            assert f"{file}" in caplog.text
            blocked = ask(house.port, MESSAGES, messages("A forbidden thing."))
            assert blocked.json["content"][0]["text"] == REPLY
        assert house.metric("guardrails_proxy_reloads_total", result="refused") == 4
        file.write_text(NEWER)
        assert house.reload()
        assert under(ask(house.port, MESSAGES, messages())) == "house@1.1.0"


LONG = "This reason is as long as reasons are that somebody has thought about. " * 6


def test_whether_the_version_in_force_is_the_newest_is_told(
    upstream: FakeProvider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = written(tmp_path)
    wrong = CONSTITUTION.replace("action: block", f'action: "{LONG}"').replace("text: ", "texd: ")
    info, well, since = (
        f"guardrails_proxy_constitution_{name}"
        for name in ("info", "last_reload_successful", "last_reload_success_timestamp_seconds")
    )

    def ready() -> str:
        answer = ask(house.operations_port, "/readyz", method="GET")
        assert answer.status == 200
        return answer.body.decode()

    with serving(config_of(upstream.url, file)) as house:
        until(lambda: ask(house.operations_port, "/readyz", method="GET").status == 200)
        digest = house.proxy.hosting.guards[0].constitution.digest
        assert f"constitution {file}: house@1.0.0, {digest}, since 20" in ready()
        assert "STALE" not in ready()
        first = house.metric(since)
        assert (house.metric(info, version="1.0.0"), house.metric(well)) == (1, 1)
        file.write_text(wrong)
        assert not house.reload()
        assert (house.metric(info, version="1.0.0"), house.metric(well)) == (1, 0)
        assert house.metric(since) == first
        assert f"{file}: STALE, refused at 20" in ready()
        assert re.search(r"house\.yaml:\d+:\d+: ", ready().partition("STALE")[2])
        assert "more, in the log" in ready()
        assert "characters>" not in caplog.text
        assert "texd" in caplog.text
        file.write_text(NEWER)
        assert house.reload()
        assert house.metric(info, version="1.0.0") == 0
        assert (house.metric(info, version="1.1.0"), house.metric(well)) == (1, 1)
        assert house.metric(since) > first
        assert "house@1.1.0" in ready()
        assert "STALE" not in ready()


def test_one_of_several_may_be_wrong(upstream: FakeProvider, tmp_path: Path) -> None:
    first, second = written(tmp_path), written(tmp_path, CONSTITUTION, "second")
    second.write_text(CONSTITUTION.replace("id: house\n", "id: second\n"))
    routes = {"/v1/chat/completions": {"constitution": str(second)}}
    with serving(config_of(upstream.url, first, routes=routes)) as house:
        first.write_text(NEWER)
        second.write_text("")
        assert not house.reload()
        assert under(ask(house.port, MESSAGES, messages())) == "house@1.1.0"
        chat = {"model": "gpt-5", "messages": [{"role": "user", "content": "Hi."}]}
        assert under(ask(house.port, "/v1/chat/completions", chat)) == "second@1.0.0"


@pytest.mark.parametrize("changed", ["child", "house"])
def test_a_file_or_its_parent_that_changes_is_seen(
    upstream: FakeProvider, tmp_path: Path, changed: str
) -> None:
    written(tmp_path)
    child = written(tmp_path, CHILD, "child")
    with serving(config_of(upstream.url, child, reload_s=0.05)) as house:
        if changed == "child":
            child.write_text(CHILD.replace("version: 1.0.0", "version: 1.2.0"))
        else:
            written(tmp_path, CONSTITUTION.replace("[forbidden]", "[banned]"))
        until(lambda: house.metric("guardrails_proxy_reloads_total", result="done") == 1)
        answer = ask(house.port, MESSAGES, messages("A banned thing."))
        if changed == "child":
            assert under(answer) == "child@1.2.0"
        else:
            assert answer.json["content"][0]["text"] == REPLY


def test_a_folder_that_is_replaced_by_a_link_is_seen(
    upstream: FakeProvider, tmp_path: Path
) -> None:
    """As Kubernetes changes a ConfigMap that is mounted."""
    mounted = tmp_path / "mounted"
    for number, text in (("1", CONSTITUTION), ("2", NEWER)):
        (mounted / f"..data_{number}").mkdir(parents=True)
        written(mounted / f"..data_{number}", text)
    (mounted / "..data").symlink_to("..data_1")
    (mounted / "house.yaml").symlink_to("..data/house.yaml")
    config = config_of(upstream.url, mounted / "house.yaml", reload_s=0.05)
    with serving(config) as house:
        assert under(ask(house.port, MESSAGES, messages())) == "house@1.0.0"
        (mounted / "..data_new").symlink_to("..data_2")
        (mounted / "..data_new").rename(mounted / "..data")
        until(lambda: house.metric("guardrails_proxy_reloads_total", result="done") == 1)
        assert under(ask(house.port, MESSAGES, messages())) == "house@1.1.0"


def test_what_is_wrong_at_start_is_an_error(upstream: FakeProvider, tmp_path: Path) -> None:
    file = written(tmp_path, CONSTITUTION.replace("action: block", "action: blok"))
    with pytest.raises(ConstitutionError, match="blok"), serving(config_of(upstream.url, file)):
        pass


def test_many_requests_while_it_is_loaded_again(upstream: FakeProvider, tmp_path: Path) -> None:
    """None fails, and none is held to nothing."""
    file = written(tmp_path)
    with serving(config_of(upstream.url, file)) as house:
        answers: list[Got] = []
        end = threading.Event()

        def go_on() -> None:
            while not end.is_set():
                answers.append(ask(house.port, MESSAGES, messages("A forbidden thing.")))

        threads = [threading.Thread(target=go_on) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(6):
            file.write_text(CONSTITUTION.replace("1.0.0", f"1.0.{number}"))
            assert house.reload()
        end.set()
        for thread in threads:
            thread.join(20)
    assert len(answers) > 3
    assert {answer.json["content"][0]["text"] for answer in answers} == {REPLY}
