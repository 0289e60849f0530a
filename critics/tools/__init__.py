"""Tool calls: which may be made, with what arguments, and what must not have been copied into them.

`names` tells tools apart, `arguments` holds a call's arguments to their rules, `copying` finds what
was copied, `critic` is the critic. May import from lines 0 to 3 of the design.
"""

from __future__ import annotations

from critics.tools.critic import ToolsConfig, ToolsCritic

__all__ = ["ToolsConfig", "ToolsCritic"]
