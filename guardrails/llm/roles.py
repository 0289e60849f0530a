"""Which model plays which role, and which one stands in when it is away."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from guardrails.errors import SettingsError
from guardrails.llm.anthropic import ANTHROPIC_URL, AnthropicModel
from guardrails.llm.endpoint import Clock, Endpoint, Retries
from guardrails.llm.openai import OPENAI_URL, OpenAIModel
from guardrails.llm.prefixes import Prefixes
from guardrails.llm.prices import cost_usd, rate
from guardrails.llm.protocol import Answer, ModelClient, ModelOutageError, Question
from guardrails.settings import Provider, Settings
from guardrails.telemetry import log

__all__ = ["Player", "Roles"]

KINDS: Mapping[str, type[AnthropicModel | OpenAIModel]] = {
    "anthropic": AnthropicModel,
    "openai": OpenAIModel,
}
BUILT_IN: Mapping[str, Provider] = {
    "anthropic": Provider(kind="anthropic", api_key_env="ANTHROPIC_API_KEY"),
    "openai": Provider(kind="openai", api_key_env="OPENAI_API_KEY"),
}
ADDRESSES: Mapping[str, tuple[str, str]] = {
    "anthropic": ("ANTHROPIC_BASE_URL", ANTHROPIC_URL),
    "openai": ("OPENAI_BASE_URL", OPENAI_URL),
}
"""Of the providers that are built in: the variable that their SDKs read, and what holds else."""

BEFORE_A_FALLBACK = Retries(times=1, patience_s=2.0)
"""Who has somebody to stand in need not be waited for as long."""


class Roles:
    """The models of a process, as its settings name them.

    `needed` are the roles that somebody will ask; None: all that settings name. Connects to
    nothing. Raises SettingsError that names every role, provider and variable that is missing.
    """

    def __init__(
        self,
        settings: Settings,
        needed: Collection[str] | None = None,
        *,
        environ: Mapping[str, str] = os.environ,
        clock: Clock = time.monotonic,
    ) -> None:
        self._prices = settings.prices
        self._clock = clock
        self._prefixes = Prefixes(settings.prices, clock=clock)
        self._maker = _Maker(settings.providers, environ)
        self._players: dict[str, Player] = {}
        problems: list[str] = []
        for role in settings.models if needed is None else needed:
            try:
                self._players[role] = self._player(settings, role)
            except SettingsError as error:
                problems += str(error).splitlines()
        problems += _strays(settings)
        if problems:
            raise SettingsError("\n".join(dict.fromkeys(problems)))

    def __repr__(self) -> str:
        return f"Roles({self.resolved()!r})"

    def model(self, role: str) -> ModelClient:
        """Who plays a role. Raises SettingsError for a role that was not needed."""
        return self.player(role).first

    def fallback(self, role: str) -> ModelClient | None:
        """Who stands in for that one, if anybody does."""
        return self.player(role).fallback

    def player(self, role: str) -> Player:
        """Both as one model: asks the fallback, in the time that is left, when the first is away.

        Raises SettingsError for a role that was not needed.
        """
        try:
            return self._players[role]
        except KeyError:
            raise SettingsError(_no_model(role)) from None

    def cost_usd(self, answer: Answer) -> float | None:
        """What an answer cost, by the prices of settings or else the list; None if not known."""
        return cost_usd(answer.client, answer.tokens, own=self._prices)

    def resolved(self) -> Mapping[str, str]:
        """Role to `provider/model`, for a decision to pin; a fallback as `<role>.fallback`."""
        found: dict[str, str] = {}
        for role, player in self._players.items():
            found[role] = player.name
            if player.fallback is not None:
                found[f"{role}.fallback"] = player.fallback.name
        return found

    def unpriced(self) -> tuple[str, ...]:
        """The models whose price neither the list nor settings know: with them no cost can be
        limited."""
        names = sorted(set(self.resolved().values()))
        return tuple(name for name in names if rate(name, 0, own=self._prices) is None)

    def prepare(self) -> None:
        """Import what the models are spoken to with, so that no first question waits for it."""
        for model in self._maker.models():
            model.prepare()

    async def aclose(self) -> None:
        """Let go of all connections. Whoever asks again opens new ones."""
        for endpoint in self._maker.endpoints():
            await endpoint.aclose()

    def _player(self, settings: Settings, role: str) -> Player:
        name = settings.models.get(role)
        if name is None:
            raise SettingsError(_no_model(role))
        other = settings.fallbacks.get(role)
        if other is None:
            model = self._maker.model(name, Retries())
            return Player(role, model, None, self._clock, self._prefixes)
        first = self._maker.model(name, BEFORE_A_FALLBACK)
        second = self._maker.model(other, Retries())
        return Player(role, first, second, self._clock, self._prefixes)


@dataclass(frozen=True, slots=True)
class Player:
    """A role's model, and the one that stands in for it. Asked like one model."""

    role: str
    first: ModelClient
    fallback: ModelClient | None
    clock: Clock
    prefixes: Prefixes | None = None

    @property
    def name(self) -> str:
        return self.first.name

    async def ask(self, question: Question, *, timeout_s: float) -> Answer:
        """As `ModelClient.ask`; the answer's `client` says who of the two gave it."""
        if self.fallback is None:
            return await self._put(self.first, question, timeout_s)
        deadline = self.clock() + timeout_s
        try:
            return await self._put(self.first, question, timeout_s)
        except ModelOutageError as error:
            outage = error
        left_s = deadline - self.clock()
        if left_s <= 0:
            raise outage
        known = {"role": self.role, "model": self.name, "fallback": self.fallback.name}
        log.warning("model_fallback", status=outage.status, **known)
        try:
            return await self._put(self.fallback, question, left_s)
        except TimeoutError:
            # The outage took the time that the one standing in would have needed.
            why = f"{outage}; then {self.fallback.name}: no answer in time"
            raise ModelOutageError(why, status=outage.status, unanswered=True) from None

    async def _put(self, model: ModelClient, question: Question, timeout_s: float) -> Answer:
        """Where nobody says whether the prefix is to be kept, traffic and prices do."""
        if question.cache_prefix is not None or self.prefixes is None:
            return await model.ask(question, timeout_s=timeout_s)
        with self.prefixes.asking(model.name, question) as asking:
            answer = await model.ask(asking.question, timeout_s=timeout_s)
            asking.answered(answer.tokens)
        return answer

    async def aclose(self) -> None:
        await self.first.aclose()
        if self.fallback is not None:
            await self.fallback.aclose()


class _Maker:
    """Makes models and their endpoints, each endpoint once."""

    def __init__(self, providers: Mapping[str, Provider], environ: Mapping[str, str]) -> None:
        self._providers = {**BUILT_IN, **providers}
        self._environ = environ
        self._endpoints: dict[str, Endpoint] = {}
        self._models: dict[tuple[str, Retries], AnthropicModel | OpenAIModel] = {}

    def model(self, name: str, retries: Retries) -> ModelClient:
        made = self._models.get((name, retries))
        if made is None:
            provider, _, model = name.partition("/")
            kind = self._provider(provider, name).kind
            made = KINDS[kind](model, self._endpoint(provider, name), retries=retries)
            self._models[name, retries] = made
        return made

    def models(self) -> Collection[AnthropicModel | OpenAIModel]:
        return self._models.values()

    def endpoints(self) -> Collection[Endpoint]:
        return self._endpoints.values()

    def _provider(self, provider: str, name: str) -> Provider:
        if provider not in self._providers:
            meant = get_close_matches(provider, self._providers, n=1)
            hint = f"; did you mean {meant[0]!r}?" if meant else ""
            raise SettingsError(
                f"{name}: no provider {provider!r}{hint} Known are "
                f"{', '.join(sorted(self._providers))}; another is named under "
                f"[providers.{provider}] in guardrails.toml"
            )
        return self._providers[provider]

    def _endpoint(self, provider: str, name: str) -> Endpoint:
        if provider not in self._endpoints:
            known = self._provider(provider, name)
            self._endpoints[provider] = Endpoint(
                provider,
                base_url=self._address(provider, known),
                api_key=self._key(provider, known, name),
                max_concurrency=known.max_concurrency,
            )
        return self._endpoints[provider]

    def _address(self, provider: str, known: Provider) -> str:
        if known.base_url is not None:
            return known.base_url
        if provider in ADDRESSES:
            variable, otherwise = ADDRESSES[provider]
            return self._environ.get(variable) or otherwise
        raise SettingsError(f"[providers.{provider}]: base_url is missing: where is it?")

    def _key(self, provider: str, known: Provider, name: str) -> str | None:
        built_in = BUILT_IN.get(provider)
        variable = known.api_key_env
        if variable is None and built_in is not None and known.base_url is None:
            variable = built_in.api_key_env
        if variable is None:
            return None  # an endpoint of one's own may want none
        key = self._environ.get(variable, "").strip()
        if not key:
            raise SettingsError(
                f"{name}: no key: set {variable}, name another model under [models] in "
                f"guardrails.toml, or say that no model is to be asked (offline=True, --offline)"
            )
        return key


def _no_model(role: str) -> str:
    return (
        f"role {role!r} has no model: set GUARDRAILS_MODELS_{role.upper()}, or {role} under "
        f"[models] in guardrails.toml, to provider/model, such as anthropic/claude-haiku-5-5"
    )


def _strays(settings: Settings) -> list[str]:
    """Fallbacks of roles that nobody plays: those must be misspelt."""
    problems = []
    for role in settings.fallbacks:
        if role not in settings.models:
            meant = get_close_matches(role, settings.models, n=1)
            hint = f"; did you mean {meant[0]!r}?" if meant else ""
            problems.append(f"fallbacks.{role}: no model plays that role{hint}")
    return problems
