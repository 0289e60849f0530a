"""Find pip's own wheel where pip would look, for a machine that has no pip yet.

Reads the same variables and configuration files as pip (`PIP_INDEX_URL`, `pip.conf`, …) and the
index pages of PEP 503. No index is built in: a machine that names none gets an error.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import os
import re
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

OPTIONS = ("index-url", "extra-index-url", "find-links", "cert")
NAME = re.compile(r"pip-(\d+(?:\.\d+)*)-py3-none-any\.whl$")  # releases only
TIMEOUT_S = 60


class Wheel(NamedTuple):
    """One wheel on offer; ordered by version."""

    version: tuple[int, ...]
    address: str
    sha256: str  # empty if the page gives none


class Links(HTMLParser):
    """The links of an index page: target and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs))


def files() -> Iterator[Path]:
    """pip's configuration files, the weightiest last."""
    home, given = Path.home(), os.environ.get("PIP_CONFIG_FILE")
    if given == os.devnull:
        return
    for folder in os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep):
        yield Path(folder, "pip", "pip.conf")
    yield Path("/etc/pip.conf")
    yield home / ".pip" / "pip.conf"
    if sys.platform == "darwin":
        yield home / "Library" / "Application Support" / "pip" / "pip.conf"
    yield Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config", "pip", "pip.conf")
    yield Path(sys.prefix, "pip.conf")
    if given:
        yield Path(given)


def options() -> dict[str, str]:
    """What pip is told of indexes on this machine."""
    told: dict[str, str] = {}
    for file in files():
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                told.update({k: v for k, v in parser.items(section) if k in OPTIONS})
    for name in OPTIONS:
        value = os.environ.get("PIP_" + name.upper().replace("-", "_"))
        if value:
            told[name] = value
    return told


def pages(told: dict[str, str]) -> list[str]:
    """The addresses of pages that may list pip's wheels."""
    indexes = f"{told.get('index-url', '')} {told.get('extra-index-url', '')}".split()
    return [
        *(f"{index.rstrip('/')}/pip/" for index in indexes),
        *told.get("find-links", "").split(),
    ]


def get(address: str, cert: str | None) -> bytes:
    parts = urlsplit(address)
    request = urllib.request.Request(urlunsplit(parts), headers={"Accept": "text/html, */*;q=0.1"})
    if parts.username is not None:  # urllib wants a user's name and password apart
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        secret = base64.b64encode(user.encode()).decode("ascii")
        request = urllib.request.Request(urlunsplit(bare), headers={**request.headers})
        request.add_unredirected_header("Authorization", f"Basic {secret}")
    context = ssl.create_default_context(cafile=cert) if parts.scheme == "https" else None
    with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context) as answer:
        content: bytes = answer.read()
    return content


def in_folder(folder: Path) -> str | None:
    """A folder on disk as a page of links; None if it has an index page of its own."""
    if (folder / "index.html").is_file():
        return None
    return "".join(f'<a href="{file.name}"></a>' for file in folder.glob("pip-*.whl"))


def listed(page: str, cert: str | None) -> Iterator[Wheel]:
    """The wheels that a page lists for this Python."""
    if "://" not in page:
        page = Path(page).expanduser().absolute().as_uri()
    if page.startswith("file:"):
        folder = Path(unquote(urlsplit(page).path))
        page = folder.as_uri() + ("/" if folder.is_dir() else "")
        text = in_folder(folder) if folder.is_dir() else None
        if text is None:
            text = get(urljoin(page, "index.html"), cert).decode("utf-8", "replace")
    else:
        text = get(page, cert).decode("utf-8", "replace")
    links = Links()
    links.feed(text)
    for link in links.found:
        address, fragment = urldefrag(urljoin(page, link.get("href") or ""))
        name = NAME.search(unquote(urlsplit(address).path))
        needs = re.search(r">=\s*3\.(\d+)", link.get("data-requires-python") or "")
        if (
            name
            and "data-yanked" not in link
            and int(needs[1] if needs else 0) <= sys.version_info[1]
        ):
            version = tuple(int(part) for part in name[1].split("."))
            _, _, sha256 = fragment.partition("sha256=")
            yield Wheel(version, address, sha256.partition("&")[0])


def fetch(into: Path) -> Path:
    """Fetch the newest wheel of pip that the machine's indexes list, into the folder `into`.

    Raises LookupError if none is configured, none answers or none lists one.
    """
    told = options()
    looked = pages(told)
    if not looked:
        raise LookupError("no package index is configured (PIP_INDEX_URL, or a pip.conf)")
    wheels: list[Wheel] = []
    for page in looked:
        try:
            wheels.extend(listed(page, told.get("cert")))
        except (OSError, ValueError):  # this one does not answer; another may
            continue
    if not wheels:
        raise LookupError("the package index that is configured did not answer with a wheel of pip")
    best = max(wheels)
    try:
        content = get(best.address, told.get("cert"))
    except (OSError, ValueError) as error:
        raise LookupError("the package index did not hand out its wheel of pip") from error
    if best.sha256 and hashlib.sha256(content).hexdigest() != best.sha256:
        raise LookupError("the package index gave a wheel of pip that is not the one it lists")
    wheel = into / unquote(urlsplit(best.address).path.rpartition("/")[2])
    wheel.write_bytes(content)
    return wheel
