"""Which answer a request gets: by what it asks, or in order."""

from __future__ import annotations

import inspect
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from guardrails.testing.critics import ScriptExhaustedError
from guardrails.testing.provider.request import ProviderRequest

__all__ = ["Script", "When"]


class When:
    """Answers every request that `matches`, or the first `times` of them, before the others."""

    def __init__(
        self,
        matches: Callable[[ProviderRequest], bool],
        answer: Any,
        *,
        times: int | None = None,
    ) -> None:
        self.matches, self.answer = matches, answer
        self._left = times

    def takes(self, request: ProviderRequest) -> bool:
        if self._left == 0 or not self.matches(request):
            return False
        if self._left is not None:
            self._left -= 1
        return True


class Script:
    """A list of answers, given once each; or one that is no list, given every time."""

    def __init__(self, answers: Any) -> None:
        self._lock = threading.Lock()
        self._rules = list[When]()
        self._queue = deque[Any]()
        self._always: tuple[Any, ...] = ()
        if isinstance(answers, list | tuple):
            self.extend(answers)
        elif isinstance(answers, When):
            self._rules.append(answers)
        else:
            self._always = (answers,)
        self.given = 0

    def extend(self, answers: Sequence[Any]) -> None:
        with self._lock:
            self._rules += [each for each in answers if isinstance(each, When)]
            self._queue.extend(each for each in answers if not isinstance(each, When))

    @property
    def left(self) -> int:
        """How many answers are still to be given in order."""
        return len(self._queue)

    async def answer(self, request: ProviderRequest) -> Any:
        """The next answer, made if it is a callable. Raises ScriptExhaustedError for none."""
        found = self._next(request)
        while callable(found):
            found = found(request)
            if inspect.isawaitable(found):
                found = await found
        return found

    def _next(self, request: ProviderRequest) -> Any:
        with self._lock:
            for rule in self._rules:
                if rule.takes(request):
                    return rule.answer
            if self._queue:
                self.given += 1
                return self._queue.popleft()
            if self._always:
                return self._always[0]
        raise ScriptExhaustedError(
            f"the fake provider's script has given its {self.given} answers and was asked once "
            f"more: {request.method} {request.path}"
        )
