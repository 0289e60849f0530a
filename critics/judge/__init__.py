"""The critic `judge`: a model that judges explicit principles. See `critic` for what it does.

`bench` is who is asked about what, `sitting` goes with one request through the cascade of roles.
`windows` cuts what is to be judged, `context` chooses what helps to judge it; `questions` reckons
with each question, which `panel` puts to a model if nobody has `remembered` its answer; `words` are
what answers come to, and `minutes` and `routing` what is written down and learnt of them.
"""

from __future__ import annotations

from critics.judge.critic import Judge

__all__ = ["Judge"]
