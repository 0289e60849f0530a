"""Every error this project raises, as one tree.

GuardrailsError
├── ConstitutionError      the file, its parents or what it names is wrong; carries every `Problem`
├── SettingsError          guardrails.toml, a GUARDRAILS_… variable or an argument is wrong
├── CriticError            a critic could not answer; the engine turns it into `undecided`
│   ├── CriticTimeout
│   ├── CriticOutage       what the critic depends on is away: goes by `on_outage`
│   └── MalformedCritique
├── BudgetExceeded         a limit of the constitution's budget was reached
│   └── DailyBudgetExceeded    what a tenant or a subject may spend in a day, by settings
├── WireFormatError        a body or value could not be read as what it was said to be
├── DeliveryError          what was to be delivered is not what was judged: it changed meanwhile
├── UpstreamError          the guarded service failed
├── AuditError             the record could not be written or read
└── GovernanceError        an approval or outcome is missing or wrong

A refusal is a value (`Decision`); only the decorator turns it into `Blocked`, and only when asked.
Messages carry ids, places and digests, never the judged text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

__all__ = [
    "AuditError",
    "BudgetExceeded",
    "ConstitutionError",
    "CriticError",
    "CriticOutage",
    "CriticTimeout",
    "DailyBudgetExceeded",
    "DeliveryError",
    "GovernanceError",
    "GuardrailsError",
    "MalformedCritique",
    "Problem",
    "SettingsError",
    "UpstreamError",
    "WireFormatError",
    "raise_together",
]


class GuardrailsError(Exception):
    """The root: catch this to catch whatever the project raises on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One thing wrong in a constitution file, at its place.

    `line` and `column` count from 1. `where` is the path inside the document
    (`principles[0].sevrity`, empty for the whole file); `hint` says what was expected or meant.
    """

    file: str
    line: int = 1
    column: int = 1
    where: str = ""
    what: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {where}{self.what}{hint}"


class ConstitutionError(GuardrailsError):
    """A constitution cannot be used. `problems` holds all that is wrong, in the file's order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SettingsError(GuardrailsError):
    """A setting, an environment variable or an argument cannot be used."""


class CriticError(GuardrailsError):
    """A critic could not answer."""


class CriticTimeout(CriticError):
    """A critic did not answer in its time."""


class CriticOutage(CriticError):
    """What a critic depends on cannot be reached or refuses to serve."""


class MalformedCritique(CriticError):
    """A critic answered something that is not a critique of what it was asked."""


class BudgetExceeded(GuardrailsError):
    """A guarded call would exceed a limit of its constitution's budget."""

    def __init__(self, limit: str, allowed: float, needed: float) -> None:
        self.limit, self.allowed, self.needed = limit, allowed, needed
        super().__init__(f"budget.{limit} is {allowed:g}, this call needs {needed:g}")

    @property
    def name(self) -> str:
        """What a finding calls this limit."""
        return f"budget.{self.limit}"

    @property
    def reason(self) -> str:
        """What a finding says of it, if there is more to say than its name."""
        return ""


class DailyBudgetExceeded(BudgetExceeded):
    """A tenant or a subject would spend more than settings allow in a day. `whose` is None where so
    many have spent today that one more cannot be counted. Says nothing of who it is."""

    def __init__(
        self, whose: str | None, limit: str, allowed: float, needed: float, *, resets_at: datetime
    ) -> None:
        super().__init__(limit, allowed, needed)
        self.whose, self.resets_at = whose, resets_at
        self.args = (f"{self.name}: {self.reason}",)

    @property
    def name(self) -> str:
        return f"daily.{self.whose}.{self.limit}" if self.whose else "daily.entries"

    @property
    def reason(self) -> str:
        anew = f"it begins anew at {self.resets_at:%Y-%m-%dT%H:%M:%SZ}"
        if self.whose is None:
            return f"no more callers can be counted today (budget_entries); {anew}"
        return (
            f"the {self.whose}'s budget for the day is {self.allowed:g}, with this call it would "
            f"be {self.needed:g}; {anew}"
        )


class WireFormatError(GuardrailsError):
    """A value or body is not of the format it was said to be."""


class DeliveryError(GuardrailsError):
    """What was to be delivered is not what was judged, and so was not delivered."""


class UpstreamError(GuardrailsError):
    """The guarded service failed or could not be reached."""


class AuditError(GuardrailsError):
    """The audit trail cannot be written or read."""


class GovernanceError(GuardrailsError):
    """An approval, a seal or an outcome is missing or does not hold."""


def raise_together(errors: Sequence[GuardrailsError]) -> None:
    """Raise all that is wrong as one error: of their own kind if they are of one, else as wrong
    settings. Does nothing if there is none."""
    match errors:
        case []:
            return
        case [error]:
            raise error
    wrong = [error for error in errors if isinstance(error, ConstitutionError)]
    if len(wrong) == len(errors):
        raise ConstitutionError(list(dict.fromkeys(p for error in wrong for p in error.problems)))
    raise SettingsError("\n".join(dict.fromkeys(map(str, errors))))
