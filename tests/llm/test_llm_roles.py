"""Settings say which model plays a role; what is missing is said at the start, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web
from llm_samples import question, serving

from guardrails.errors import SettingsError
from guardrails.llm.anthropic import AnthropicModel
from guardrails.llm.openai import OpenAIModel
from guardrails.llm.protocol import ModelOutageError, ModelRejectionError
from guardrails.llm.roles import Roles
from guardrails.settings import Settings
from guardrails.testing import FakeProvider, FixedClock
from guardrails.testing.provider import ProviderRequest, When, WholeReply, fault

KEYS = {"ANTHROPIC_API_KEY": "sk-a", "OPENAI_API_KEY": "sk-o"}
OK = {"answer": "forty-two"}


def settings(**values: Any) -> Settings:
    return Settings.model_validate(values)


def roles(environ: Mapping[str, str] = KEYS, **values: Any) -> Roles:
    return Roles(settings(**values), environ=environ)


def test_a_role_is_played_by_the_model_that_settings_name() -> None:
    made = roles(models={"small": "anthropic/claude-haiku-5-5", "large": "openai/gpt-6-sol"})
    assert isinstance(made.model("small"), AnthropicModel)
    assert isinstance(made.model("large"), OpenAIModel)
    assert made.model("small").name == made.player("small").name == "anthropic/claude-haiku-5-5"
    assert made.fallback("small") is None


def test_8_a_decision_can_pin_the_models() -> None:
    made = roles(
        models={"small": "anthropic/a", "large": "openai/vendor/b:free"},
        fallbacks={"small": "openai/c"},
    )
    assert made.resolved() == {
        "small": "anthropic/a",
        "small.fallback": "openai/c",
        "large": "openai/vendor/b:free",
    }
    assert "sk-" not in repr(made)


def test_only_what_is_needed_has_to_be_there() -> None:
    values = settings(models={"small": "anthropic/a", "large": "openai/b"})
    made = Roles(values, ["small"], environ={"ANTHROPIC_API_KEY": "k"})
    assert made.resolved() == {"small": "anthropic/a"}
    with pytest.raises(SettingsError, match="role 'large' has no model"):
        made.model("large")


MISSING: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "a model": (
        {},
        {},
        r"role 'small' has no model: set GUARDRAILS_MODELS_SMALL, or small under \[models\]",
    ),
    "a key": (
        {"models": {"small": "anthropic/a"}},
        {"ANTHROPIC_API_KEY": "  "},
        r"anthropic/a: no key: set ANTHROPIC_API_KEY, name another .* \(offline=True, --offline\)",
    ),
    "a fallback's key": (
        {"models": {"small": "anthropic/a"}, "fallbacks": {"small": "openai/b"}},
        {"ANTHROPIC_API_KEY": "k"},
        "openai/b: no key: set OPENAI_API_KEY",
    ),
    "a key of one's own": (
        {
            "models": {"small": "house/a"},
            "providers": {
                "house": {"kind": "openai", "base_url": "http://h", "api_key_env": "HOUSE_KEY"}
            },
        },
        {},
        "house/a: no key: set HOUSE_KEY",
    ),
    "a provider": (
        {"models": {"small": "antropic/a"}},
        KEYS,
        r"no provider 'antropic'; did you mean 'anthropic'\? .* \[providers\.antropic\]",
    ),
    "an address": (
        {"models": {"small": "house/a"}, "providers": {"house": {"kind": "openai"}}},
        KEYS,
        r"\[providers\.house\]: base_url is missing",
    ),
    "a role for a fallback": (
        {"models": {"small": "anthropic/a"}, "fallbacks": {"smal": "openai/b"}},
        KEYS,
        r"fallbacks\.smal: no model plays that role; did you mean 'small'\?",
    ),
}


@pytest.mark.parametrize("what", MISSING)
def test_what_is_missing_is_said_at_the_start(what: str) -> None:
    values, environ, message = MISSING[what]
    with pytest.raises(SettingsError, match=message):
        Roles(settings(**values), ["small"], environ=environ)


def test_all_that_is_missing_is_said_at_once() -> None:
    models = {"small": "anthropic/a", "medium": "anthropic/b", "large": "nobody/c"}
    with pytest.raises(SettingsError) as raised:
        roles({}, models=models)
    lines = str(raised.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["anthropic/a", "anthropic/b", "nobody/c"]


def test_9_a_key_that_cannot_be_sent_is_not_told() -> None:
    with pytest.raises(SettingsError, match="'anthropic': its key") as raised:
        roles({"ANTHROPIC_API_KEY": "sk-sécret"}, models={"small": "anthropic/a"})
    assert "cret" not in str(raised.value)


async def test_the_known_providers_are_where_their_sdks_would_look() -> None:
    async with FakeProvider(OK, api_key="fake-key") as provider:
        made = roles(
            provider.environment,
            models={"small": "anthropic/claude-haiku-5-5", "large": "openai/g"},
        )
        made.prepare()
        for role in ("small", "large"):
            assert (await made.model(role).ask(question(), timeout_s=20)).stop == "finished"
        await made.aclose()
    assert [request.endpoint for request in provider.requests] == ["messages", "chat"]


async def test_9_a_vendors_key_is_sent_to_no_other_address_unasked() -> None:
    async with FakeProvider(OK) as provider:
        there = {"kind": "openai", "base_url": provider.openai_url}
        made = roles(models={"small": "openai/g"}, providers={"openai": there})
        await made.model("small").ask(question(), timeout_s=20)
        await made.aclose()
        there["api_key_env"] = "OPENAI_API_KEY"
        made = roles(models={"small": "openai/g"}, providers={"openai": there})
        await made.model("small").ask(question(), timeout_s=20)
        await made.aclose()
    assert [request.key for request in provider.requests] == [None, "sk-o"]


def test_a_limit_of_ones_own_leaves_address_and_key_as_they_are() -> None:
    limited = {"anthropic": {"kind": "anthropic", "max_concurrency": 2}}
    made = roles(models={"small": "anthropic/a"}, providers=limited)
    (endpoint,) = made._maker.endpoints()
    assert (endpoint.base_url, endpoint.api_key) == ("https://api.anthropic.com", "sk-a")
    assert endpoint._slots._free == 2


async def test_models_of_one_provider_share_its_endpoint() -> None:
    made = roles(models={"small": "anthropic/a", "medium": "anthropic/b", "large": "anthropic/a"})
    assert len(made._maker.endpoints()) == 1
    assert made.model("small") is made.model("large")
    await made.aclose()


def to_anthropic(request: ProviderRequest) -> bool:
    return request.endpoint == "messages"


def two(provider: FakeProvider, **more: Any) -> Roles:
    """A small model at Anthropic's and a fallback at OpenAI's, both the fake provider."""
    return Roles(
        settings(models={"small": "anthropic/claude-haiku-5-5"}, fallbacks={"small": "openai/g"}),
        environ=provider.environment,
        **more,
    )


async def test_when_a_model_is_away_its_fallback_is_asked() -> None:
    away = When(to_anthropic, fault("status-401"))
    async with FakeProvider([away, OK, OK]) as provider:
        made = two(provider)
        answer = await made.player("small").ask(question(), timeout_s=20)
        await made.aclose()
    assert answer.client == "openai/g"
    assert [request.endpoint for request in provider.requests] == ["messages", "chat"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("status-400", ModelRejectionError), ("never-answers", TimeoutError)],
)
async def test_2_a_doubt_is_no_reason_to_ask_another(name: str, expected: type[Exception]) -> None:
    """Or a text could choose its judge."""
    async with FakeProvider([When(to_anthropic, fault(name)), OK]) as provider:
        made = two(provider)
        made.prepare()
        with pytest.raises(expected):
            await made.player("small").ask(question(), timeout_s=0.5)
        await made.aclose()
    assert {request.endpoint for request in provider.requests} <= {"messages"}


async def test_2_when_both_are_away_it_is_an_outage() -> None:
    async with FakeProvider(fault("status-403")) as provider:
        made = two(provider)
        with pytest.raises(ModelOutageError, match=r"^openai/g: answered 403$"):
            await made.player("small").ask(question(), timeout_s=20)
        await made.aclose()
    assert provider.requests.total == 2


async def test_10_the_fallback_has_the_time_that_is_left() -> None:
    clock = FixedClock()

    async def handler(request: web.Request) -> web.StreamResponse:
        clock.move(6)
        return web.Response(status=401)

    async with serving(handler) as url, FakeProvider(OK) as provider:
        environ = provider.environment | {"ANTHROPIC_BASE_URL": url}
        made = Roles(
            settings(models={"small": "anthropic/a"}, fallbacks={"small": "openai/g"}),
            environ=environ,
            clock=clock,
        )
        assert (await made.player("small").ask(question(), timeout_s=7)).client == "openai/g"
        with pytest.raises(ModelOutageError, match="answered 401"):
            await made.player("small").ask(question(), timeout_s=6)
        await made.aclose()
    assert provider.requests.total == 1


async def test_an_answer_has_a_price_where_its_model_has_one() -> None:
    used = {"prompt_tokens": 1_000, "completion_tokens": 10}
    body = {
        "model": "g",
        "choices": [{"finish_reason": "stop", "message": {"content": "{}"}}],
        "usage": used,
    }
    local = {"input_per_million_usd": 1, "output_per_million_usd": 2}
    async with FakeProvider(WholeReply(body)) as provider:
        made = roles(
            provider.environment,
            models={"small": "openai/local", "large": "openai/unknown"},
            prices={"openai/local": local},
        )
        small = await made.model("small").ask(question(), timeout_s=20)
        large = await made.model("large").ask(question(), timeout_s=20)
        await made.aclose()
    assert made.cost_usd(small) == pytest.approx(0.00102)
    assert made.cost_usd(large) is None
    assert made.unpriced() == ("openai/unknown",)
