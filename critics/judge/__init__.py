"""The critic `judge`: a model that judges explicit principles. See `critic` for what it does.

`windows` cuts what is to be judged, `context` chooses what helps to judge it, `panel` asks the
models of a cascade's roles, `critic` puts answers together.
"""

from __future__ import annotations

from critics.judge.critic import Judge

__all__ = ["Judge"]
