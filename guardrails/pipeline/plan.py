"""The plan of a constitution: critics bound, patterns gathered, everything refusable refused."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from guardrails.audit.keys import make_keys
from guardrails.cache.verdicts import VerdictCache, open_cache
from guardrails.constitution.model import Constitution, CriticUse, Principle, Tier
from guardrails.critic.protocol import (
    Critic,
    Declared,
    LooksBack,
    Need,
    Resources,
    Rule,
    TellsOpen,
    Unit,
    Whole,
    Width,
)
from guardrails.critic.registry import CriticRegistry
from guardrails.errors import CriticError, GuardrailsError, SettingsError
from guardrails.pipeline.matter import Matter
from guardrails.settings import Settings
from guardrails.telemetry import log
from guardrails.text.normalise import joins, normalise
from guardrails.text.openings import Openings
from guardrails.text.scan import Scan
from guardrails.verdict import Stage

if TYPE_CHECKING:
    from guardrails.llm.roles import Roles
    from guardrails.pipeline.revision import Reviser

__all__ = ["TIERS", "BoundCritic", "Plan", "StagePlan", "make_plan"]

T = TypeVar("T")

TIERS: tuple[Tier, ...] = ("deterministic", "local", "model")
MOST_REACH = 8_000
"""A finding that is wider is not looked for across the borders of texts."""

UNIT_CHARACTERS = 1_000
"""A sentence is at most this long (`text.sentences`), so a unit has a width too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundCritic:
    """A critic made for this constitution, with the ids that name it at one stage, in declared
    order."""

    name: str
    tier: Tier
    critic: Critic
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """What is done at one stage. `scanned[i]` says whose the i-th pattern of `scan` is."""

    stage: Stage
    matters: tuple[Matter, ...]
    critics: tuple[BoundCritic, ...]
    scan: Scan | None
    scanned: tuple[tuple[str, Hashable], ...]
    openings: Openings
    need: Need
    margin: int = field(init=False, repr=False, compare=False)
    """How much before a place critics without a model must see to judge what is behind it."""
    _tiers: Mapping[Tier, tuple[BoundCritic, ...]] = field(init=False, repr=False, compare=False)
    _reaches: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        tiers = {tier: tuple(c for c in self.critics if c.tier == tier) for tier in TIERS}
        object.__setattr__(self, "_tiers", tiers)
        margins = [_margin(bound, self.stage) for bound in self.tier("deterministic")]
        object.__setattr__(self, "margin", max(margins, default=0))
        reaches = {bound.name: _reach(bound, self.stage) for bound in self.tier("deterministic")}
        object.__setattr__(self, "_reaches", reaches)

    @property
    def principles(self) -> tuple[Principle, ...]:
        return tuple(matter.principle for matter in self.matters)

    @property
    def is_costly(self) -> bool:
        """Whether a critic's look may take so long that it pays to know that it was had before."""
        return any(
            bound.tier != "deterministic" or getattr(bound.critic, "is_costly", False)
            for bound in self.critics
        )

    def tier(self, tier: Tier) -> tuple[BoundCritic, ...]:
        return self._tiers[tier]

    def reach(self, bound: BoundCritic) -> int:
        """How many characters from the border of two texts a critic without a model must see to
        find what crosses it; 0 for one that speaks of all of a text, and not of a place in it."""
        return self._reaches[bound.name]

    def is_open(self, text: str, at: int) -> bool:
        """Whether what begins before a place in a growing text may yet turn out to be a finding
        that a critic without a model makes of it, or be one that goes on behind the text."""
        before = normalise(text[:at]).text
        seen = before + _for_good(normalise(text[at:]).text)
        return self.openings.is_open(seen, len(before)) or any(
            _is_open(bound.critic, self.stage, text, at)
            if getattr(bound.critic, "reads_original", False)
            else _is_open(bound.critic, self.stage, seen, len(before))
            for bound in self.critics
            if bound.tier == "deterministic"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A constitution ready to be enforced."""

    constitution: Constitution
    offline: bool
    stages: Mapping[Stage, StagePlan]
    reviser: Reviser | None = None
    roles: Roles | None = None
    verdicts: VerdictCache | None = None

    async def aclose(self) -> None:
        """Let go of the models' connections, and of those to where their verdicts are kept."""
        if self.roles is not None:
            await self.roles.aclose()
        if self.verdicts is not None:
            await self.verdicts.aclose()


def make_plan(
    constitution: Constitution,
    *,
    registry: CriticRegistry,
    settings: Settings,
    offline: bool,
    key_file: Path | None = None,
) -> Plan:
    """Bind every critic the constitution names.

    `key_file` holds the installation's key, for verdicts that are kept; None: they end with the
    plan. Raises SettingsError when a judge is needed, none is there and `offline` was not said, and
    CriticError when a critic cannot be bound.
    """
    if not offline:
        _refuse_missing_judge(constitution, registry, settings)
    roles = None if offline else _roles(constitution, registry, settings)
    verdicts = None if roles is None else _verdicts(constitution, settings, key_file)
    resources = Resources(
        constitution=constitution, settings=settings, roles=roles, verdicts=verdicts
    )
    bound = {
        name: _bind(name, constitution, registry, resources)
        for name in _names(constitution)
        if registry[name].critic is not None and not (offline and registry[name].tier == "model")
    }
    return Plan(
        constitution=constitution,
        offline=offline,
        stages={stage: _stage(stage, constitution, bound) for stage in Stage},
        reviser=None if roles is None else _reviser(constitution, roles, settings),
        roles=roles,
        verdicts=verdicts,
    )


def _verdicts(
    constitution: Constitution, settings: Settings, key_file: Path | None
) -> VerdictCache | None:
    """Where models' verdicts are kept; None if they are not."""
    if constitution.cache_ttl_s <= 0 or settings.cache == "off":
        return None
    key = None if key_file is None else make_keys(key_file).derive("cache")
    return open_cache(settings, key)


def _names(constitution: Constitution) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            use.name for principle in constitution.principles for use in principle.critics
        )
    )


def _uses(constitution: Constitution, name: str) -> list[tuple[Principle, CriticUse]]:
    return [(p, use) for p in constitution.principles for use in p.critics if use.name == name]


def _refuse_missing_judge(
    constitution: Constitution, registry: CriticRegistry, settings: Settings
) -> None:
    for name in _names(constitution):
        entry = registry[name]
        roles = [role for role in constitution.judging.cascade if role not in settings.models]
        if entry.tier != "model" or (entry.critic and not (asks_models(entry.critic) and roles)):
            continue
        judged = [principle.id for principle, _ in _uses(constitution, name)]
        missing = (
            f"no model is configured for the role{'s'[: len(roles) > 1]} {', '.join(roles)}"
            if roles
            else f"no critic {name!r} is installed"
        )
        raise SettingsError(
            f"constitution {constitution.id!r} asks {name!r} about {len(judged)} principles "
            f"({judged[0]}, …) and {missing}. Two ways out: name a model in guardrails.toml "
            f'([models] {constitution.judging.cascade[0]} = "provider/model")'
            f"{'' if entry.critic else f' with a critic {name!r} installed that asks it'}; or say "
            f"offline=True (--offline), and what only {name!r} could settle is reported as "
            f"uncovered"
        )


def _roles(
    constitution: Constitution, registry: CriticRegistry, settings: Settings
) -> Roles | None:
    """The models that critics and reviser ask; None if there is nobody who would. Raises
    SettingsError for what is missing, a limit on costs that nobody could know included."""
    asking = any(asks_models(registry[name].critic) for name in _names(constitution))
    revising = _is_revised(constitution) and constitution.judging.cascade[0] in settings.models
    if not asking and not revising:
        return None
    from guardrails.llm.roles import Roles  # with it come the models' clients

    cascade = constitution.judging.cascade
    roles = Roles(settings, cascade if asking else cascade[:1])
    _refuse_unpriced(constitution, roles, settings)
    roles.prepare()
    return roles


def _refuse_unpriced(constitution: Constitution, roles: Roles, settings: Settings) -> None:
    """A limit of money is none where nobody knows what is spent."""
    limit = settings.daily.limits_cost
    said = None if limit is None else f"settings limit {limit}"
    if constitution.budget.max_cost_usd is not None:
        said = f"constitution {constitution.id!r} limits budget.max_cost_usd"
    if said is not None and (unknown := roles.unpriced()):
        raise SettingsError(
            f"{said}, and nobody knows what {', '.join(unknown)} costs; give its price in "
            f"guardrails.toml "
            f'([prices."{unknown[0]}"] input_per_million_usd = …), 0 included'
        )


def _reviser(constitution: Constitution, roles: Roles, settings: Settings) -> Reviser | None:
    """Whoever plays the cascade's first role; None where nothing is ever revised."""
    if not _is_revised(constitution):
        return None
    from guardrails.pipeline.revision import Reviser

    return Reviser(
        model=roles.player(constitution.judging.cascade[0]),
        timeout_s=constitution.judging.timeout_s,
        prices=settings.prices,
    )


def _is_revised(constitution: Constitution) -> bool:
    """Whether any breach may be mended by a model."""
    actions = (action for p in constitution.principles for action in p.actions.values())
    return constitution.max_attempts > 0 and "revise" in actions


def asks_models(critic: object) -> bool:
    """Whether a critic must have the models of the cascade's roles."""
    return bool(getattr(critic, "asks_models", False))


def _bind(
    name: str, constitution: Constitution, registry: CriticRegistry, resources: Resources
) -> Critic:
    rules = [
        Rule(principle=principle, config=use.config) for principle, use in _uses(constitution, name)
    ]
    critic = cast("type[Critic]", registry[name].critic)
    try:
        return critic.bind(rules, resources)
    except GuardrailsError:
        raise
    except Exception as error:  # a foreign critic may fail in any way
        raise CriticError(
            f"the critic {name!r} could not be bound to constitution {constitution.id!r}: "
            f"{type(error).__name__}"
        ) from error


def _stage(stage: Stage, constitution: Constitution, bound: Mapping[str, Critic]) -> StagePlan:
    principles = constitution.at(stage)
    critics = tuple(
        BoundCritic(name=name, tier=critic.tier, critic=critic, ids=ids)
        for name, critic in bound.items()
        if (ids := tuple(p.id for p in principles if p.critic(name) is not None))
    )
    declared = [
        (bound_critic.name, item)
        for bound_critic in critics
        for item in _declared(bound_critic, stage)
    ]
    return StagePlan(
        stage=stage,
        matters=tuple(Matter.of(principle, stage) for principle in principles),
        critics=critics,
        scan=Scan([item.pattern for _, item in declared]) if declared else None,
        scanned=tuple((name, item.key) for name, item in declared),
        openings=Openings([item.pattern for _, item in declared]),
        need=_need(stage, critics, declared),
    )


def _told(bound: BoundCritic, ask: Callable[[], T]) -> T:
    """What a critic says of itself. Raises CriticError, for a foreign one may fail in any way."""
    try:
        return ask()
    except GuardrailsError:
        raise
    except Exception as error:
        raise CriticError(
            f"the critic {bound.name!r} cannot say what it needs of a text: {type(error).__name__}"
        ) from error


def _declared(bound: BoundCritic, stage: Stage) -> Sequence[Declared]:
    return _told(bound, lambda: [d for d in bound.critic.declared() if stage in d.stages])


def _needed(bound: BoundCritic, stage: Stage) -> Need:
    need = _told(bound, lambda: bound.critic.need(stage))
    match need:
        case Whole() | Unit() | Width(int()):
            return need
    raise CriticError(f"the critic {bound.name!r} needs what is neither a width nor a unit")


def _margin(bound: BoundCritic, stage: Stage) -> int:
    critic = bound.critic
    if isinstance(critic, LooksBack):
        return _told(bound, lambda: operator.index(critic.margin(stage)))
    need = _needed(bound, stage)
    return need.characters if isinstance(need, Width) and not isinstance(critic, TellsOpen) else 0


def _reach(bound: BoundCritic, stage: Stage) -> int:
    declared = max((item.pattern.width for item in _declared(bound, stage)), default=0)
    match _needed(bound, stage):
        case Width(characters):
            reach = max(characters, declared)
        case Unit():
            reach = max(UNIT_CHARACTERS, declared)
        case _:
            reach = declared and declared + 2 * UNIT_CHARACTERS  # what excepts it, too
    return min(reach, MOST_REACH)


def _for_good(text: str) -> str:
    """A growing text without its last character, which an accent that is yet to come may change."""
    end = len(text)
    while end and joins(text[end - 1]):
        end -= 1
    return text[: max(0, end - 1)]


def _is_open(critic: Critic, stage: Stage, text: str, at: int) -> bool:
    if hasattr(critic, "is_open"):  # as TellsOpen says; a protocol takes long to ask
        try:
            return bool(cast("TellsOpen", critic).is_open(stage, text, at))
        except Exception as error:  # a foreign critic may fail in any way
            log.warning("critic_failed", critic=critic.name, error=type(error).__name__)
    match critic.need(stage):
        case Width(characters):
            return len(text) - at < characters
        case _:
            return len(text) - at < UNIT_CHARACTERS


def _need(
    stage: Stage, critics: Sequence[BoundCritic], declared: Sequence[tuple[str, Declared]]
) -> Need:
    """The largest need of a stage's critics: what a stream must hold back. Models see the reply up
    to points that the text sets, so that what they need is either that or all of it."""
    widest = max((item.pattern.width for _, item in declared), default=0)
    for bound in critics:
        match _needed(bound, stage):
            case Whole():
                return Whole()
            case _ if bound.tier != "deterministic":
                continue
            case Unit():
                widest = max(widest, UNIT_CHARACTERS)
            case Width(characters):
                widest = max(widest, characters)
    return Width(widest)
