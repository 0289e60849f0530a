"""Cases written from the WHATWG's standard on event streams: a body, and the names and data of its
events."""

from __future__ import annotations

CASES: dict[str, tuple[bytes, list[tuple[str, str]]]] = {
    "the standard's first": (
        b"data: YHOO\ndata: +2\ndata: 10\n\n",
        [("", "YHOO\n+2\n10")],
    ),
    "the standard's comments and ids": (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third\n\n",
        [("", "first event"), ("", "second event"), ("", " third")],
    ),
    "the standard's empty data": (b"data\n\ndata\ndata\n\ndata:", [("", ""), ("", "\n"), ("", "")]),
    "one space after the colon is not of the value": (
        b"data:test\n\ndata: test\n\n", [("", "test"), ("", "test")]
    ),
    "CR": (b"data: a\rdata: b\r\rdata: c\r\r", [("", "a\nb"), ("", "c")]),
    "CRLF": (b"data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", [("", "a\nb"), ("", "c")]),
    "mixed line ends": (b"data: a\r\n\rdata: b\n\r\ndata: c\r\r",
                        [("", "a"), ("", "b"), ("", "c")]),
    "a byte order mark": (b"\xef\xbb\xbfdata: a\n\n", [("", "a")]),
    "only one byte order mark": (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
    "no final newline": (b"data: a", [("", "a")]),
    "no final empty line": (b"data: a\n\ndata: b\n", [("", "a"), ("", "b")]),
    "several bytes a character": ("data: héé 你好 🎉\n\n".encode(), [("", "héé 你好 🎉")]),
    "other line separators are text": ("data: a\u2028b\u0085c\x0bd\n\n".encode(),
                                       [("", "a\u2028b\u0085c\x0bd")]),
    "names": (b"event: add\ndata: 1\n\nevent: del\ndata: 2\n\ndata: 3\n\n",
              [("add", "1"), ("del", "2"), ("", "3")]),
    "the last name counts": (b"event: a\nevent: b\ndata: 1\n\n", [("b", "1")]),
    "a name without data is no event": (b"event: a\n\ndata: 1\n\n", [("", "1")]),
    "a name after the data": (b"data: 1\nevent: a\n\n", [("a", "1")]),
    "unknown fields": (b"datum: x\nDATA: x\n data: x\ndata: 1\n\n", [("", "1")]),
    "colons in the data": (b"data: a: b:c\n\n", [("", "a: b:c")]),
    "nothing": (b"", []),
    "empty lines": (b"\n\n\r\r\n", []),
}  # fmt: skip
