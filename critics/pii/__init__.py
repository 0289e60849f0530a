"""Personal data, found by Presidio's own recognizers: patterns, checksums and context words.

`entities` says what can be asked for and when a text is worth a look, `critic` is the critic.
`analysis`, `recognizers` and `words` import Presidio, and are themselves imported when first
needed. May import from lines 0 to 3 of the design.
"""

from __future__ import annotations

from critics.pii.critic import PiiConfig, PiiCritic

__all__ = ["PiiConfig", "PiiCritic"]
