"""The critic `secrets`: every kind, what only looks like one, spans, configuration, size.

Nothing here is a credential: each is put together at run time from a prefix and made-up characters.
"""

from __future__ import annotations

import json
import random
import string
import time
from base64 import b64encode, urlsafe_b64encode

import pytest
from asking import ask, bind, quotes, rule
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from critics.secrets import SecretsConfig, SecretsCritic
from critics.secrets.kinds import KINDS, MAX_BLOCK
from guardrails.critic.protocol import Critic, Width
from guardrails.critic.registry import CriticRegistry
from guardrails.text.scan import MOST_HITS
from guardrails.verdict import Stage

LETTERS = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + "234567"
NAME = LETTERS + "-_"
HEX = "0123456789abcdef"


def made_up(alphabet: str, length: int, seed: int = 7) -> str:
    return "".join(random.Random(seed).choices(alphabet, k=length))


def key_block(label: str, lines: int = 12) -> str:
    body = "\n".join(made_up(LETTERS + "+/", 64, seed) for seed in range(lines))
    return f"-----{'BEGIN'} {label}-----\n{body}\n-----END {label}-----"


def token(header: dict[str, str]) -> str:
    parts = [json.dumps(header).encode(), json.dumps({"sub": "made up", "n": 123}).encode()]
    encoded = [urlsafe_b64encode(part).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, made_up(NAME[:-2], 43)])


CREDENTIALS = {
    "anthropic": [
        "sk-" + "ant-api03-" + made_up(NAME, 93) + "AA",
        "sk-" + "ant-oat01-" + made_up(NAME, 95),
    ],
    "openai": [
        "sk" + "-" + made_up(LETTERS, 20) + "T3Blbk" + "FJ" + made_up(LETTERS, 20, 8),
        "sk-" + "proj-" + made_up(NAME, 74) + "T3Blbk" + "FJ" + made_up(NAME, 74, 8),
    ],
    "openrouter": ["sk-" + "or-v1-" + made_up(HEX, 64)],
    "deepseek": ["sk" + "-" + made_up(HEX, 32)],
    "groq": ["gs" + "k_" + made_up(LETTERS, 52)],
    "perplexity": ["pp" + "lx-" + made_up(LETTERS, 48)],
    "replicate": ["r8" + "_" + made_up(LETTERS, 37)],
    "xai": ["xa" + "i-" + made_up(LETTERS, 80)],
    "aws": ["AK" + "IA" + made_up(UPPER, 16), "AS" + "IA" + made_up(UPPER, 16, 9)],
    "google": ["AI" + "za" + made_up(NAME, 35), "GOC" + "SPX-" + made_up(NAME, 28)],
    "github": [
        "gh" + "p_" + made_up(LETTERS, 36),
        "gh" + "s_" + made_up(LETTERS, 36),
        "github" + "_pat_" + made_up(LETTERS, 22) + "_" + made_up(LETTERS, 59),
    ],
    "gitlab": [
        "gl" + "pat-" + made_up(NAME, 20),
        "gl" + "rt-" + made_up(NAME, 27) + ".01" + made_up(LETTERS, 7),
    ],
    "slack": [
        "xo" + "xb-" + "263594206564-2343594206574-" + made_up(LETTERS, 24),
        "xa" + "pp-1-A052FGTS2DL-5171572773297-" + made_up(HEX, 64),
        "hooks.slack" + ".com/services/T0DCUJB1Q/B0DD08H5G/" + made_up(LETTERS, 24),
    ],
    "discord": ["discord" + ".com/api/webhooks/112233445566778899/" + made_up(NAME, 68)],
    "stripe": ["sk" + "_live_" + made_up(LETTERS, 24), "rk" + "_test_" + made_up(LETTERS, 99)],
    "square": ["sq0" + "csp-" + made_up(NAME, 43)],
    "shopify": ["shp" + "at_" + made_up(HEX, 32)],
    "huggingface": ["h" + "f_" + made_up(string.ascii_letters, 34)],
    "npm": ["np" + "m_" + made_up(LETTERS, 36)],
    "pypi": ["py" + "pi-AgEIcHlwaS5vcmc" + made_up(NAME, 160)],
    "rubygems": ["ruby" + "gems_" + made_up(HEX, 48)],
    "docker": ["dc" + "kr_pat_" + made_up(NAME, 27)],
    "sendgrid": ["S" + "G." + made_up(NAME, 22) + "." + made_up(NAME, 43)],
    "mailchimp": [made_up(HEX, 32) + "-us" + "12"],
    "twilio": ["S" + "K" + made_up(HEX, 32)],
    "telegram": ["4839574812" + ":AA" + made_up(NAME, 33)],
    "azure": [
        "Account" + "Key=" + made_up(LETTERS, 86) + "==",
        "SharedAccess" + "Key=" + made_up(LETTERS, 43) + "=",
        "sv" + "=2026-02-06&ss=b&srt=co&se=2027-01-01&sig=" + made_up(LETTERS, 43) + "%3D",
        made_up(LETTERS, 3) + "8" + "Q~" + made_up(LETTERS, 34),
    ],
    "databricks": ["da" + "pi" + made_up(HEX, 32)],
    "digitalocean": ["do" + "p_v1_" + made_up(HEX, 64)],
    "grafana": ["gl" + "sa_" + made_up(LETTERS, 32) + "_" + made_up(HEX, 8)],
    "vault": ["hv" + "s." + made_up(NAME, 95)],
    "linear": ["lin" + "_api_" + made_up(LETTERS, 40)],
    "notion": ["nt" + "n_12345098761" + made_up(LETTERS, 35)],
    "private_key": [
        key_block("RSA PRIVATE KEY"),
        key_block("OPENSSH PRIVATE KEY", 6),
        key_block("PGP PRIVATE KEY BLOCK", 80),
        key_block("PRIVATE KEY", 3).replace("\n", "\\n"),
    ],
    "jwt": [token({"alg": "HS256", "typ": "JWT"}), token({"kid": "a", "alg": "RS256"})],
}

cases = [
    pytest.param(kind, credential, id=f"{kind}-{number}")
    for kind, credentials in CREDENTIALS.items()
    for number, credential in enumerate(credentials)
]


@pytest.fixture(scope="module")
def critic() -> Critic:
    return bind(SecretsCritic, rule(SecretsCritic, {}))


def test_every_kind_has_a_case() -> None:
    assert CREDENTIALS.keys() == KINDS.keys()


@pytest.mark.parametrize(("kind", "credential"), cases)
@pytest.mark.parametrize(
    "around",
    ["{}", "The key is {}. Keep it.", "KEY={}\n", '{{"key": "{}"}}', "鍵は{}です。", "המפתח: {}"],
    ids=["alone", "sentence", "assignment", "JSON", "Japanese", "Hebrew"],
)
async def test_a_credential_is_found_whole(
    critic: Critic, kind: str, credential: str, around: str
) -> None:
    text = around.format(credential)
    if around.startswith("鍵"):
        text = text.replace(credential, f" {credential} ")
    critique = await ask(critic, text)
    said = {
        (finding.reason.rpartition(" ")[2], quote)
        for finding, (_, quote) in zip(critique.findings, quotes(critique, text), strict=True)
    }
    assert (kind, credential) in said
    assert critique.looked == {"test.principle"}


@pytest.mark.parametrize(("kind", "credential"), cases)
async def test_a_credential_is_found_through_what_is_invisible(
    critic: Critic, kind: str, credential: str
) -> None:
    hidden = credential[:6] + "\u200b" + credential[6:12] + "\u2060\u00ad" + credential[12:]
    critique = await ask(critic, f"x {hidden} y")
    assert ("breach", hidden) in quotes(critique, f"x {hidden} y")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("AK" + "IAIOSFODNN7EXAMPLE", id="AWS documentation"),
        pytest.param("AK" + "IA" + "X" * 16, id="AWS, one letter"),
        pytest.param("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", id="an AWS secret key"),
        pytest.param("sk-" + "ant-api03-your-key-here", id="too short"),
        pytest.param("sk-" + "ant-api03-" + "your-key-here-" * 7, id="your key here"),
        pytest.param("sk-" + "ant-api03-" + "x" * 95, id="x for each character"),
        pytest.param("sk-..." + "T3Blbk" + "FJ...", id="dots"),
        pytest.param("gh" + "p_" + "x" * 36, id="GitHub, x"),
        pytest.param("gh" + "p_" + "1234567890" * 3 + "123456", id="GitHub, counted"),
        pytest.param("gh" + "p_" + "abcdefghijklmnopqrstuvwxyz0123456789", id="GitHub, alphabet"),
        pytest.param("gh" + "p_" + made_up(LETTERS, 35), id="GitHub, one too short"),
        pytest.param("AI" + "za" + "SyEXAMPLE" + made_up(NAME, 26), id="Google, example"),
        pytest.param("sk" + "_test_4eC39HqLyjWDarjtT1zdp7dc", id="Stripe documentation"),
        pytest.param("sk" + "_live_" + "0" * 24, id="Stripe, zeros"),
        pytest.param(
            "hooks.slack" + ".com/services/T00000000/B00000000/" + "X" * 24, id="Slack docs"
        ),
        pytest.param("xo" + "xb-your-token-here-please-and-thanks", id="Slack placeholder"),
        pytest.param("np" + "m_" + "REPLACE" + made_up(LETTERS, 29), id="to be replaced"),
        pytest.param("h" + "f_" + "a" * 34, id="one letter"),
        pytest.param("S" + "K" + "0" * 32, id="Twilio, zeros"),
        pytest.param("-----" + "BEGIN PRIVATE KEY-----", id="the first line of a key"),
        pytest.param(
            "-----" + "BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKC...\n-----END RSA PRIVATE KEY-----",
            id="a key left out",
        ),
        pytest.param(key_block("PUBLIC KEY"), id="a public key"),
        pytest.param(key_block("CERTIFICATE"), id="a certificate"),
        pytest.param("eyJ" + "hbGciOiJIUzI1NiJ9", id="a JWT's header alone"),
        pytest.param("eyJ" + "a" * 20 + ".eyJ" + "b" * 20 + "." + "c" * 43, id="no JSON header"),
        pytest.param(token({"typ": "JWT"}), id="a header without alg"),
        pytest.param(
            token({"alg": "HS256"})[:-43] + "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
            id="jwt.io's own",
        ),
        pytest.param(made_up(HEX, 40), id="a commit's hash"),
        pytest.param("3f2504e0-4f89-11d3-9a0c-0305e82c3301", id="a UUID"),
        pytest.param(b64encode(bytes(range(256)) * 4).decode(), id="base64"),
        pytest.param("x" + "AK" + "IA" + made_up(UPPER, 16) + "Z", id="inside a longer word"),
        pytest.param("task-based risk-free disk-image ask-me", id="words with sk-"),
        pytest.param("התחל עם מפתח משלך: YOUR_API_KEY", id="Hebrew, no key"),
        pytest.param("APIキーを sk-... に置き換える。", id="Japanese, no key"),
        pytest.param("", id="nothing"),
        pytest.param("\x00\ud800\udfff", id="NUL and surrogates"),
    ],
)
async def test_what_only_looks_like_one(critic: Critic, text: str) -> None:
    assert not (await ask(critic, text)).findings
    assert not (await ask(critic, f"Use `{text}` here.")).findings


async def test_a_key_that_is_cut_off_is_covered_as_far_as_it_goes(critic: Critic) -> None:
    key, _, _ = key_block("PRIVATE KEY").partition("\n-----END")
    critique = await ask(critic, f"It is:\n{key}\n\n<end of answer>")
    assert quotes(critique, f"It is:\n{key}\n\n<end of answer>") == [("breach", key)]


async def test_a_key_is_covered_to_its_bound(critic: Critic) -> None:
    critique = await ask(critic, key_block("PRIVATE KEY", 400))
    assert [finding.span for finding in critique.findings] == [(0, MAX_BLOCK)]


async def test_keys_one_after_another_are_told_apart(critic: Critic) -> None:
    keys = [key_block("PRIVATE KEY"), key_block("RSA PRIVATE KEY", 5)]
    text = "\n".join(["-----" + "BEGIN PRIVATE KEY-----", *keys])
    assert quotes(await ask(critic, text), text) == [("breach", key) for key in keys]


async def test_only_the_kinds_asked_for() -> None:
    rules = [
        rule(SecretsCritic, {"kinds": ["aws"]}, id="a"),
        rule(SecretsCritic, {"kinds": ["npm", "aws"]}, id="b", stages=[Stage.INPUT, Stage.OUTPUT]),
    ]
    critic = bind(SecretsCritic, *rules)
    text = f"{CREDENTIALS['npm'][0]} {CREDENTIALS['aws'][0]} {CREDENTIALS['github'][0]}"
    critique = await ask(critic, text, asked=["a", "b"])
    assert [finding.principle for finding in critique.findings] == ["a", "b", "b"]
    assert [item.key for item in critic.declared()] == ["aws", "npm"]
    assert critic.declared()[0].stages == {Stage.INPUT, Stage.OUTPUT}
    assert critic.need(Stage.OUTPUT) == Width(275)
    assert critic.need(Stage.INPUT) == Width(275)
    assert critic.need(Stage.RETRIEVAL) == Width(0)


def test_a_private_key_needs_the_most_text(critic: Critic) -> None:
    assert critic.need(Stage.OUTPUT) == Width(MAX_BLOCK)
    assert max(kind.pattern.width for kind in KINDS.values()) < 600


def test_it_is_the_critic_the_catalogue_offers(critic: Critic) -> None:
    assert CriticRegistry()["secrets"].critic is SecretsCritic
    assert isinstance(critic, Critic)


@pytest.mark.parametrize(
    ("config", "place", "says"),
    [
        ({"kinds": ["aws", "githib"]}, ("kinds", 1), "did you mean 'github'?"),
        ({"kinds": ["qqqqqqqq"]}, ("kinds", 0), "expected one of anthropic, aws"),
        ({"kinds": []}, ("kinds",), "no kind is named"),
        ({"kinds": "aws"}, ("kinds",), "tuple"),
        ({"kind": ["aws"]}, ("kind",), "Extra"),
    ],
)
def test_promise_8_errors_have_their_place(
    config: dict[str, object], place: tuple[str | int, ...], says: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        SecretsConfig.model_validate(config)
    assert [error["loc"] for error in caught.value.errors()] == [place]
    assert says in caught.value.errors()[0]["msg"]


def test_the_schema_names_the_kinds() -> None:
    items = SecretsConfig.model_json_schema()["properties"]["kinds"]["items"]
    assert items["enum"] == sorted(KINDS)


@given(
    before=st.text(alphabet=" .,:\n\"'\u05d0漢\u200b\x00", max_size=10).map(
        lambda text: text + " "
    ),
    after=st.text(alphabet=" ,;\n\"'<>漢\ud800", max_size=10).map(lambda text: " " + text),
    credential=st.sampled_from([text for texts in CREDENTIALS.values() for text in texts]),
)
async def test_where_it_stands_makes_no_difference(
    critic: Critic, before: str, after: str, credential: str
) -> None:
    text = before + credential + after
    assert ("breach", credential) in quotes(await ask(critic, text), text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("-----" + "BEGIN PRIVATE KEY-----" * 40_000, id="first lines"),
        pytest.param(
            ("-----" + "BEGIN PRIVATE KEY-----" + "A" * 39 + "-") * 15_000, id="almost keys"
        ),
        pytest.param(("eyJ" + "a" * 10 + ".eyJ" + "a" * 8) * 40_000, id="almost tokens"),
        pytest.param("sk-" * 300_000, id="prefixes"),
        pytest.param("AIza" * 250_000, id="other prefixes"),
        pytest.param("a" * 10_000_000, id="10 MB"),
    ],
)
async def test_promise_10_time_is_linear(critic: Critic, text: str) -> None:
    before = time.process_time()
    await ask(critic, text)
    assert time.process_time() - before < 5


async def test_of_too_many_the_last_covers_the_rest_of_the_text(critic: Critic) -> None:
    secret = CREDENTIALS["deepseek"][0]
    text = f"{secret} " * (MOST_HITS + 7)
    findings = (await ask(critic, text)).findings
    assert len(findings) == MOST_HITS + 1
    assert findings[-1].span == (MOST_HITS * (len(secret) + 1), len(text))


async def test_promise_9_a_finding_hides_the_credential(critic: Critic) -> None:
    credential = CREDENTIALS["aws"][0]
    critique = await ask(critic, credential)
    assert credential[4:] not in repr(critique)
    assert all(credential[4:] not in finding.reason for finding in critique.findings)
