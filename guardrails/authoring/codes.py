"""The codes of all lint findings: what each finds and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["ABOUT_IGNORES", "CODES", "Code", "Level", "LintFinding", "reference"]

ABOUT_IGNORES = "L9"
"""These are about the comments that silence others, and no comment silences them."""

Level = Literal["error", "advice"]
"""`error`: the file contradicts itself, or cannot do what it says. `advice`: it can be better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LintFinding:
    """One thing that is weak or wrong in a constitution file, and how to mend it.

    `where` is the path inside the document (`principles[0].text`), empty for the whole file.
    """

    code: str
    level: Level
    file: str
    line: int
    column: int
    where: str
    message: str
    hint: str

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{place}: {self.code} {self.level}: {where}{self.message}; {self.hint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A kind of finding. `mend` is the hint of a finding that has none of its own."""

    id: str
    level: Level
    finds: str
    mend: str


def _table(*codes: Code) -> Mapping[str, Code]:
    return {code.id: code for code in codes}


CODES = _table(
    Code(
        id="L101",
        level="advice",
        finds="A hedge (“usually”, “try to”, “where possible”) in what a principle says. "
        "English only.",
        mend="say what holds always, and put the exception into `not_breach`",
    ),
    Code(
        id="L102",
        level="advice",
        finds="Two ideas in one `text`: several sentences, a semicolon, or words such as "
        "“and must not” and “as well as”. The words are English only.",
        mend="make the second one a principle of its own, or part of `breach` or `not_breach`",
    ),
    Code(
        id="L103",
        level="advice",
        finds="A principle that no local or model critic judges: its `text` is for people only, "
        "and what its deterministic critics do not find passes.",
        mend="add `judge` to its critics, or say `# lint: ignore L103` and why they are enough",
    ),
    Code(
        id="L104",
        level="advice",
        finds="Two principles for the same stage and callers whose texts are (nearly) the same.",
        mend="drop one, or say in each `text` or `not_breach` what the other is for",
    ),
    Code(
        id="L105",
        level="error",
        finds="Two principles for the same stage and callers of which one denies the other: their "
        "texts are nearly the same but for a negation. English only.",
        mend="drop one, or say in each `text` when it holds; for some callers only, use `applies`",
    ),
    Code(
        id="L106",
        level="advice",
        finds="A principle without a `source`: nobody can tell whose rule it is.",
        mend="give `source: {title: …}`, a law, a guideline or a house rule",
    ),
    Code(
        id="L107",
        level="advice",
        finds="Images, sounds or files that `attachments` lets through: no critic reads them, and "
        "only a flag tells of them.",
        mend="say who looks at them instead: `# lint: ignore L107` and the reason",
    ),
    Code(
        id="L201",
        level="advice",
        finds="A principle without examples of both kinds.",
        mend="add `examples: {breach: […], fine: […]}`, both as near to the boundary as you can",
    ),
    Code(
        id="L202",
        level="error",
        finds="A `fine` example that is a breach for the principle's own critics, or that stands "
        "among its `breach` examples, too.",
        mend="move the example to `breach`, or narrow what the critic looks for",
    ),
    Code(
        id="L203",
        level="error",
        finds="A `breach` example that no critic of the principle finds, where no model is asked.",
        mend="add a pattern that finds it, or `judge` to the principle's critics",
    ),
    Code(
        id="L204",
        level="advice",
        finds="An example that is fine under one principle and a breach of another for the same "
        "stage.",
        mend="take an example that only one of them is about, or make the line clear in both "
        "`not_breach`",
    ),
    Code(
        id="L301",
        level="error",
        finds="A `breach` pattern that hits a `fine` example of its own principle.",
        mend="narrow the pattern, or except the sentence by `unless`",
    ),
    Code(
        id="L302",
        level="advice",
        finds="A pattern wider than 2,000 characters, which holds a streamed reply back until all "
        "of it is there. An unbounded repeat counts as 100 characters.",
        mend="bound its repeats (`.{0,40}` for `.*`), or make two shorter patterns of it",
    ),
    Code(
        id="L303",
        level="advice",
        finds="A redundant pattern: one that stands in the same list twice, or plain words that "
        "another pattern of the list hits anyway.",
        mend="drop it from its list (`breach`, `unless`, `look` or `require`), which finds as much "
        "without it",
    ),
    Code(
        id="L401",
        level="advice",
        finds="More than 10 judged principles at one stage, inherited ones included: the judge is "
        "asked in groups of 10, each a call of its own.",
        mend="merge or drop some, give one fewer `stages`, or ask only after a look: "
        "`judge: {when: look}`",
    ),
    Code(
        id="L402",
        level="advice",
        finds="More than 4,000 tokens of judged principles at one stage, inherited ones included. "
        "Estimated as a quarter of the bytes (UTF-8) of ids, texts, `breach`, `not_breach` and the "
        "five longest examples of each.",
        mend="shorten `text`, `breach` and the longest `examples`: each judged request has all",
    ),
    Code(
        id="L403",
        level="advice",
        finds="A rule under `judge.routing.start` that nothing here can meet: no judged principle, "
        "inherited ones included, has such a `severity`, or with `look: true` a critic that looks.",
        mend="drop the rule, or give a principle that severity, or a pattern with `look`",
    ),
    Code(
        id="L501",
        level="error",
        finds="A reply that breaks its own constitution, as far as deterministic critics can tell.",
        mend="reword the reply, or except its words by `unless`: a person would see what the "
        "constitution keeps from them",
    ),
    Code(
        id="L502",
        level="error",
        finds="A remedy (`replace_sentence`, `append`) that breaks its own constitution, as far as "
        "deterministic critics can tell.",
        mend="reword `remedy`, or except its words by `unless`: no revision with it is released",
    ),
    Code(
        id="L503",
        level="advice",
        finds="A reply that is missing in one of the constitution's `languages`.",
        mend="add a text for that language, as `{en: …, de: …}`",
    ),
    Code(
        id="L601",
        level="advice",
        finds="A principle that no test of the file reaches. A test reaches a principle that its "
        "`breaches` or `judge` names, or about which a critic says something when it runs; that a "
        "scripted judge passes whatever is not named reaches nothing.",
        mend="add a test whose `breaches` or `judge` names it, and one that is near and passes",
    ),
    Code(
        id="L602",
        level="advice",
        finds="A test that is not judged: it has no `judge`, and what it expects is for a judge to "
        "say.",
        mend="script the judge: `judge: {}` if all passes, else the ids and quotes it objects to",
    ),
    Code(
        id="L701",
        level="advice",
        finds="A `relax` or `withdraw` whose reason says nothing: fewer than three words, or a "
        "placeholder. (An empty one does not load.)",
        mend="say in `reason` why it is right here; `show` and `diff` print it to whoever approves",
    ),
    Code(
        id="L801",
        level="error",
        finds="A tool, or all tools of a pattern, that `tools` both allows and denies. They are "
        "denied.",
        mend="take it out of `allow` or out of `deny`",
    ),
    Code(
        id="L802",
        level="error",
        finds="A rule in `tools` that does nothing: for a tool that may not be called at all, or "
        "one that only names arguments and lets in all others.",
        mend="add the tool to `allow`, or drop its rule",
    ),
    Code(
        id="L803",
        level="error",
        finds="A `never_from` that names a tool of which `tools` says nothing else, although "
        "`allow` lists those that may be called: nothing can come from it, so that it keeps "
        "nothing apart.",
        mend="write the tool's name as `allow` has it, or drop it here; if it names documents, say "
        "`# lint: ignore L803` and which",
    ),
    Code(
        id="L804",
        level="error",
        finds="An argument that no value can have: none of its `one_of` fits what else is asked of "
        "it, or `match` needs more characters than `max_length` allows.",
        mend="widen `match`, `max_length`, `min` or `max`, or take another value into `one_of`",
    ),
    Code(
        id="L805",
        level="advice",
        finds="A part of `tools` that no test of the file reaches.",
        mend="add a test such as `{name: …, tool: {name: …, arguments: {…}}, expect: "
        "block}`, and one that is near and passes",
    ),
    Code(
        id="L806",
        level="advice",
        finds="A pattern for names of tools (`mcp__github__*`) that no name fits which `tools` or "
        "a test of the file has, so that nobody can tell whether it is written right.",
        mend="add a test whose `tool` fits it, or write it as the tools are called",
    ),
    Code(
        id="L807",
        level="advice",
        finds="A name or pattern in a list of tools that another entry of the list covers.",
        mend="drop it, or the wider one; a name in `allow` beside a pattern of `deny` may stay",
    ),
    Code(
        id="L808",
        level="error",
        finds="Two rules for the same tools, one by a pattern, of which one names or requires an "
        "argument that the other lets in no call, by `additional: false`. Both hold.",
        mend="name the argument in both rules, or say `additional: false` in one rule only",
    ),
    Code(
        id="L809",
        level="advice",
        finds="A `never_from`, or the test of a call, that names a tool which is named nowhere "
        "else and is one letter away from one that is.",
        mend="write it as it is called, or say `# lint: ignore L809` and what it is",
    ),
    Code(
        id="L901",
        level="error",
        finds="A `# lint: ignore` without a reason. It silences nothing.",
        mend="write it as `# lint: ignore L101 why this is right here`",
    ),
    Code(
        id="L902",
        level="advice",
        finds="A `# lint: ignore` that silences nothing.",
        mend="take the comment out, or put it at the end of the finding's line or on a line above "
        "it: `# lint: ignore L101 reason`",
    ),
    Code(
        id="L903",
        level="error",
        finds="A `# lint: ignore` without a code, or with one that does not exist.",
        mend="write it as `# lint: ignore L101 why this is right here`",
    ),
)

_HEAD = """\
# What `constitution lint` finds

An **error** means that the file contradicts itself or cannot do what it says; any of them ends with
exit status 1. **Advice** means that it could be better; with `--strict` any advice that no comment
silences ends with status 1, too. Status 2 is a file that does not load, or wrong usage.
Only what the file itself says is linted, not what it inherits; what counts a whole stage counts the
inherited principles, too. What is wrong
with keys, values and types is found when a file is loaded, by `lint` as by every other command.

A comment silences one code: on its own line if something stands before it, else on the next line
that is no comment. It needs a reason.

```yaml
text: Usually answers in the user's language.   # lint: ignore L101 the exceptions are in not_breach
```

It silences one code on one line; for several codes, put a comment for each above the line.

**For a whole run**, advice is chosen by its code or by what codes begin with, as in linters of
programs:

```sh
constitution lint --select L1,L806 help-desk.yaml     # only this advice
constitution lint --ignore L106 --strict help-desk.yaml   # all but this; the rest fails
```

Both take several, by commas or by saying the option again. Of two that fit a code the longer one
holds (`--ignore L1 --select L106`), of equal ones `--ignore`. They are about advice: **an error
is always told** and always fails, whatever is chosen, and can only be silenced at its place, with
its reason. A code that does not exist, or that only errors have under `--ignore`, is wrong usage
(status 2). What was found and not told is counted: `3 left out`. What should hold for everybody
stands where the command does, in the build or as `args` of the pre-commit hook.

| code | | what it finds | what to do |
|---|---|---|---|
"""


def reference() -> str:
    """The documentation of all codes, as `docs/lint.md` holds it."""
    rows = (f"| {c.id} | {c.level} | {c.finds} | {c.mend} |\n" for c in CODES.values())
    return _HEAD + "".join(rows)
