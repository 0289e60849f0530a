"""Credentials, told by the prefixes, lengths and alphabets that their issuers fixed.

`kinds` is the table of what is known, `critic` the critic. May import from lines 0 to 3 of the
design.
"""

from __future__ import annotations

from critics.secrets.critic import SecretsConfig, SecretsCritic

__all__ = ["SecretsConfig", "SecretsCritic"]
