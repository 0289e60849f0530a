"""The kinds of credentials that can be told by their form alone, each with where the form is from.

Only fixed prefixes or markers count: what looks random but says nothing of its issuer (an AWS
secret key, a password) cannot be told from a hash or an id.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from guardrails.text.patterns import Pattern, compile_pattern
from guardrails.verdict import Span

__all__ = ["KINDS", "Kind", "is_key_open", "is_placeholder"]

MAX_BLOCK = 8_000
"""Characters of a private key from its first line on; a 4096-bit PGP key with its user ids."""

MAX_TOKEN = 4_000
"""Characters of a JWT; servers refuse larger headers anyway."""

Whole = Callable[[str, Span], Span | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What one issuer's credentials look like.

    `pattern` finds them, or where they begin; `whole` gives the span of all of it, or None if it
    is none after all. `width`: the most characters from begin to end.
    """

    name: str
    pattern: Pattern
    width: int
    whole: Whole


_RADIX64 = r"[A-Za-z0-9+/]"
_NAME64 = r"[A-Za-z0-9_-]"
_HEX = r"[0-9a-f]"
_LETTERS = r"[A-Za-z0-9]"

# -- what only stands for a credential -----------------------------------------------------------

_STANDS_FOR = re.compile(
    r"example|xxxx|\*\*\*|\.\.\.|your|placeholder|redacted|dummy|sample|changeme|replace"
    r"|insert|secret_key|api_key|abcdefgh|12345678|(.)\1{7}",
    re.IGNORECASE,
)
"""Words and runs of documentation. A random key of 40 characters holds one of four letters about
once in twenty thousand."""

_PUBLISHED = (
    "4eC39HqLyjWDarjtT1zdp7dc",  # Stripe's documentation
    "BQokikJOvBiI2HlWgH4olfQ2",  # the same, before
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",  # jwt.io's first token
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq",  # Azurite's account
)
"""Credentials that are printed in public documentation and open nothing."""

MIN_VARIETY = 7
"""Distinct characters; 32 random hexadecimal digits have fewer less than once in a billion."""


def is_placeholder(secret: str) -> bool:
    """Whether it only has a credential's form, as documentation writes it."""
    return (
        len(set(secret)) < MIN_VARIETY
        or _STANDS_FOR.search(secret) is not None
        or any(published in secret for published in _PUBLISHED)
    )


# -- what is longer than a pattern should be -----------------------------------------------------

_KEY_BEGINS = "-----BEGIN "
_KEY_BEGIN = rf"{_KEY_BEGINS}(?:[A-Z0-9]{{1,20}} ){{0,3}}PRIVATE KEY(?: BLOCK)?-----"
_KEY_BEGIN_WIDTH = compile_pattern(_KEY_BEGIN, case=True).width
_KEY_OPENING = re.compile(_KEY_BEGIN)
_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,70}-----")
_KEY_BODY = re.compile(r"[A-Za-z0-9+/]{40}")
_KEY_TEXT = re.compile(r"[A-Za-z0-9+/=\s\\:,.()-]*+")
"""What stands in a key block: base64, header lines, line breaks written as such or as `\\n`."""

_TOKEN_REST = re.compile(r"[A-Za-z0-9_-]*+\.[A-Za-z0-9_-]{20,}+")


def _key_block(text: str, begin: Span) -> Span | None:
    """Through its last line or, if that is cut off, as far as a key's characters go."""
    limit = begin[0] + MAX_BLOCK
    another = text.find(_KEY_BEGINS, begin[1], limit)
    limit = another if another > 0 else limit  # the next one is looked at by itself
    end = _KEY_END.search(text, begin[1], limit)
    stop = end.start() if end else _text_end(text, begin[1], limit)
    if _KEY_BODY.search(text, begin[1], stop) is None:
        return None  # the line alone, as documentation shows it
    return begin[0], end.end() if end else stop


def is_key_open(text: str, at: int) -> bool:
    """Whether a key block that begins before a place goes on to the text's end, for all it says."""
    start = max(0, at - MAX_BLOCK)
    return any(
        len(text) - begin.start() < MAX_BLOCK
        and _KEY_END.search(text, begin.end()) is None
        and _text_end(text, begin.end(), len(text)) == len(text.rstrip())
        for begin in _KEY_OPENING.finditer(text, start, at + _KEY_BEGIN_WIDTH)
        if begin.start() < at
    )


def _text_end(text: str, start: int, limit: int) -> int:
    match = _KEY_TEXT.match(text, start, limit)
    return start + len(match[0].rstrip()) if match else start


def _token(text: str, begin: Span) -> Span | None:
    """Header, claims and signature, if the header is one."""
    rest = _TOKEN_REST.match(text, begin[1], begin[0] + MAX_TOKEN)
    header, _, _ = text[slice(*begin)].partition(".")
    if rest is None or rest[0].endswith(_PUBLISHED) or not _names_algorithm(header):
        return None
    return begin[0], rest.end()


def _credential(text: str, span: Span) -> Span | None:
    """A pattern found all of it already, unless it only stands for one."""
    return None if is_placeholder(text[slice(*span)]) else span


def _names_algorithm(header: str) -> bool:
    try:
        decoded = json.loads(urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(decoded, dict) and "alg" in decoded


# -- the table -----------------------------------------------------------------------------------

_SOURCES: Mapping[str, str] = {
    # Claude Console: keys, admin keys and OAuth tokens, `sk-ant-` and the kind with its version.
    "anthropic": rf"sk-ant-[a-z]{{3,8}}\d{{2}}-{_NAME64}{{80,120}}",
    # OpenAI: base64 of "OpenAI" stands in the middle of each key.
    "openai": rf"sk-{_NAME64}{{20,110}}T3BlbkFJ{_NAME64}{{20,100}}",
    "openrouter": rf"sk-or-v1-{_HEX}{{64}}",
    "deepseek": rf"\bsk-{_HEX}{{32}}\b",
    "groq": rf"\bgsk_{_LETTERS}{{52}}\b",
    "perplexity": rf"\bpplx-{_LETTERS}{{48}}\b",
    "replicate": rf"\br8_{_LETTERS}{{37}}\b",
    "xai": rf"\bxai-{_LETTERS}{{80}}\b",
    # IAM User Guide, unique identifiers; the last sixteen are base32. Bedrock keys: `ABSK`.
    "aws": rf"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{{16}}\b|\bABSK{_RADIX64}{{109,269}}={{0,2}}",
    # Google Cloud: API keys, OAuth client secrets, access tokens.
    "google": rf"\bAIza{_NAME64}{{35}}|\bGOCSPX-{_NAME64}{{28}}|\bya29\.{_NAME64}{{40,300}}",
    # GitHub Docs, token formats: prefix, then 36 (a checksum among them); fine-grained: 22 and 59.
    "github": rf"\bgh[pousr]_{_LETTERS}{{36,255}}\b"
    rf"|\bgithub_pat_{_LETTERS}{{22}}_{_LETTERS}{{59}}\b",
    # GitLab Docs, token prefixes; routable tokens end in a dot and nine characters.
    "gitlab": r"\bgl(?:pat|dt|rt|cbt|ptt|soat|ft|imt|agent|oas)"
    rf"-{_NAME64}{{20,300}}(?:\.{_LETTERS}{{9}})?",
    # Slack: tokens of bots, users, apps and configuration, and incoming webhooks.
    "slack": rf"\bxox[abeoprs]-(?:\d{{1,14}}-){{1,4}}[A-Za-z0-9-]{{20,200}}"
    rf"|\bxapp-\d-[A-Z0-9]{{9,14}}-\d{{10,14}}-{_HEX}{{64}}"
    r"|hooks\.slack\.com/(?:services|workflows|triggers)"
    rf"/[A-Z0-9]{{8,14}}/[A-Z0-9]{{8,16}}/{_LETTERS}{{18,40}}",
    "discord": rf"discord(?:app)?\.com/api/webhooks/\d{{17,20}}/{_NAME64}{{60,80}}",
    # Stripe: secret and restricted keys of both modes, webhook signing secrets.
    "stripe": rf"\b(?:sk|rk)_(?:live|test)_{_LETTERS}{{24,247}}\b|\bwhsec_{_LETTERS}{{32,64}}\b",
    "square": rf"\bsq0csp-{_NAME64}{{43}}|\bEAAA{_NAME64}{{60}}",
    "shopify": r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b",
    "huggingface": rf"\b(?:hf_|api_org_){_LETTERS}{{34}}\b",
    "npm": rf"\bnpm_{_LETTERS}{{36}}\b",
    # PyPI: a macaroon; its first bytes name the index.
    "pypi": rf"\bpypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw){_NAME64}{{50,400}}",
    "rubygems": rf"\brubygems_{_HEX}{{48}}\b",
    "docker": rf"\bdckr_(?:pat|oat)_{_NAME64}{{27,36}}",
    "sendgrid": rf"\bSG\.{_NAME64}{{22}}\.{_NAME64}{{43}}",
    "mailchimp": rf"\b{_HEX}{{32}}-us\d{{1,2}}\b",
    "twilio": rf"\bSK{_HEX}{{32}}\b",
    # Telegram Bot API: the bot's number, a colon, 35 characters of which the first two are AA.
    "telegram": rf"\b\d{{8,10}}:AA{_NAME64}{{33}}",
    # Azure: storage and service bus connection strings, shared access signatures, client secrets.
    "azure": rf"\bAccountKey={_RADIX64}{{86}}==|\bSharedAccessKey={_RADIX64}{{43}}="
    r"|\bsv=\d{4}-\d\d-\d\d&[^\s\"'<>]{0,400}sig=[A-Za-z0-9%+/]{43,80}(?:=|%3[Dd])"
    r"|[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}",
    "databricks": rf"\bdapi{_HEX}{{32}}(?:-\d)?",
    "digitalocean": rf"\bdo[opr]_v1_{_HEX}{{64}}\b",
    "grafana": rf"\bglsa_{_LETTERS}{{32}}_{_HEX}{{8}}\b|\bglc_{_RADIX64}{{32,400}}={{0,2}}",
    "vault": rf"\bhv[sb]\.{_NAME64}{{90,300}}",
    "linear": rf"\blin_api_{_LETTERS}{{40}}\b",
    "notion": rf"\bntn_\d{{11}}{_LETTERS}{{35}}\b",
    # RFC 7468 (PEM), OpenSSH's PROTOCOL.key, RFC 9580 (PGP).
    "private_key": _KEY_BEGIN,
    # RFC 7519 in RFC 7515's compact form: both begin with `{"` in base64.
    "jwt": rf"\beyJ{_NAME64}{{10,400}}\.eyJ{_NAME64}{{8}}",
}

_WHOLE: Mapping[str, tuple[Whole, int]] = {
    "private_key": (_key_block, MAX_BLOCK),
    "jwt": (_token, MAX_TOKEN),
}


def _kind(name: str, source: str) -> Kind:
    pattern = compile_pattern(source, case=True)
    whole, width = _WHOLE.get(name, (_credential, pattern.width))
    return Kind(name=name, pattern=pattern, width=width, whole=whole)


KINDS: Mapping[str, Kind] = {name: _kind(name, source) for name, source in _SOURCES.items()}
