"""What can be typed: the commands with their arguments and options. What they do is elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guardrails.cli.audit_commands import audit
from guardrails.cli.options import (
    Arguments,
    AsJson,
    Name,
    Names,
    Prompt,
    Results,
    Tool,
    Watch,
)
from guardrails.cli.outcome import Status
from guardrails.cli.review_commands import review
from guardrails.errors import AuditError, ConstitutionError, GuardrailsError, SettingsError
from guardrails.verdict import Stage

if TYPE_CHECKING:
    from guardrails.cli.check import CallQuestion

__all__ = ["app", "run"]

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""What typer raises for anything wrongly typed; it has no public name of its own."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would print local variables, and with them user text
)
app.add_typer(audit, name="audit")
app.add_typer(review, name="review")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("constitutional-guardrails"))
        raise typer.Exit


@app.callback()
def constitution(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print it.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Hold LLM calls to a constitution: check texts, test rules, read the record."""


@app.command()
def demo(as_json: AsJson = False) -> int:
    """See an assistant answer under three constitutions: no key, no network."""
    from guardrails.cli.demo import show_demo

    return show_demo(as_json=as_json)


@app.command()
def check(
    constitution: Annotated[
        str, typer.Option("--constitution", "-c", metavar="NAME", help="Its name or its file.")
    ],
    text: Annotated[str | None, typer.Argument(help="The text; - is standard input.")] = None,
    file: Annotated[Path | None, typer.Option(help="Judge this file's text.")] = None,
    jsonl: Annotated[
        Path | None, typer.Option(help="Judge each row of this file; - is standard input.")
    ] = None,
    stage: Annotated[
        Stage | None,
        typer.Option(help="Where the text stands; a text is taken for a reply (output)."),
    ] = None,
    prompt: Prompt = None,
    tool: Tool = None,
    arguments: Arguments = None,
    result: Results = None,
    offline: Annotated[bool, typer.Option("--offline", help="Judge without any model.")] = False,
    attribute: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Who is asking; may be repeated.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="On whose behalf.")] = "default",
    language: Annotated[str | None, typer.Option(help="Of the replies, such as de.")] = None,
    as_json: AsJson = False,
) -> int:
    """Judge a text, a tool call, or the rows of a JSONL file, by a constitution.

    Status 0: allowed, perhaps with a flag. 1: redacted, revised or blocked. 2: wrong usage, file or
    line. 3: an outage, a doubt or a limit.
    """
    given = [way for way in (text, file, jsonl, tool) if way is not None]
    if len(given) != 1:
        raise UsageError("give one of TEXT, - (standard input), --file, --jsonl or --tool")
    if jsonl is not None and prompt is not None:
        raise UsageError("--prompt is for one text; rows have a 'prompt' of their own")
    call = _called(tool, arguments, prompt, result, stage)
    attributes = _attributes(attribute or [])
    from guardrails.cli.check import Question, check_call, check_text
    from guardrails.exchange import Context

    question = Question(
        constitution=constitution,
        offline=offline,
        stage=stage,
        context=Context(tenant=tenant, language=language, attributes=attributes),
        as_json=as_json,
    )
    if call is not None:
        return check_call(question, call)
    if jsonl is None:
        return check_text(question, text=text, file=file, prompt=prompt)
    from guardrails.cli.bulk import check_rows

    return check_rows(question, file=jsonl)


@app.command()
def explain(
    constitution: Annotated[
        str, typer.Option("--constitution", "-c", metavar="NAME", help="Its name or its file.")
    ],
    text: Annotated[str | None, typer.Argument(help="The text; - is standard input.")] = None,
    file: Annotated[Path | None, typer.Option(help="Explain this file's text.")] = None,
    stage: Annotated[
        Stage | None, typer.Option(help="Where the text stands; a text is taken for a reply.")
    ] = None,
    prompt: Prompt = None,
    tool: Tool = None,
    arguments: Arguments = None,
    result: Results = None,
    attribute: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Who is asking; may be repeated.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Of the replies, such as de.")] = None,
    as_json: AsJson = False,
) -> int:
    """Tell who sees what in a text or a tool call, what that settles, and what is left to a judge.

    Asks no model and leaves no record. Status 0, whatever the verdict.
    """
    if sum(way is not None for way in (text, file, tool)) != 1:
        raise UsageError("give one of TEXT, - (standard input), --file or --tool")
    call = _called(tool, arguments, prompt, result, stage)
    attributes = _attributes(attribute or [])
    from guardrails.cli.explainer import explain_text
    from guardrails.exchange import Context

    return explain_text(
        constitution,
        text=text,
        file=file,
        prompt=prompt,
        stage=stage or Stage.OUTPUT,
        context=Context(language=language, attributes=attributes),
        as_json=as_json,
        call=call,
    )


def _called(
    tool: str | None,
    arguments: str | None,
    prompt: str | None,
    results: list[str] | None,
    stage: Stage | None,
) -> CallQuestion | None:
    """The call that the options name, if they name one."""
    if tool is None and (arguments is not None or results):
        raise UsageError("--arguments and --result are for a tool call: name it with --tool")
    if tool is None:
        return None
    if stage not in (None, Stage.TOOL_CALL):
        raise UsageError(f"a call is judged at the stage 'tool_call', not at {str(stage)!r}")
    from guardrails.cli.check import CallQuestion

    pairs = tuple(_pairs(results or [], "TOOL=TEXT", "--result"))
    return CallQuestion(name=tool, arguments=arguments, prompt=prompt, results=pairs)


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As customer-service.")],
    title: Annotated[str | None, typer.Option(help="For people.")] = None,
    owner: Annotated[str | None, typer.Option(help="The team that answers for it.")] = None,
    extends: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A parent, or none; may be repeated. Default: base."),
    ] = None,
    language: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", help="What it is written for; may be repeated. Default: en."),
    ] = None,
    stage: Annotated[
        list[Stage] | None, typer.Option(help="May be repeated. Default: output.")
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(metavar="PLACE", help="A folder, or the file NAME.yaml."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: take defaults for the rest.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file.")] = False,
    as_json: AsJson = False,
) -> int:
    """Write a constitution to begin with: it lints clean, and its tests pass.

    On a terminal it asks for what no option gives.
    """
    from guardrails.cli.begin import Wishes, begin

    wishes = Wishes(
        name=name,
        title=title,
        owner=owner,
        extends=extends or None,
        languages=language or None,
        stages=stage or None,
        into=into,
    )
    return begin(wishes, ask=not (yes or as_json), force=force, as_json=as_json)


@app.command()
def lint(
    names: Names = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Advice that is not silenced fails, too.")
    ] = False,
    select: Annotated[
        list[str] | None,
        typer.Option(metavar="CODES", help="Only advice of these codes, as L1,L806; repeatable."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="CODES", help="No advice of these codes; the longer beginning wins."),
    ] = None,
    watch: Watch = False,
    as_json: AsJson = False,
) -> int:
    """Find what is weak or wrong in constitutions.

    Errors are always told. Status 0: no error. 1: an error, or with --strict any finding. 2: wrong
    usage, or a file that does not load.
    """
    from guardrails.authoring.chosen import Chosen
    from guardrails.cli.author import lint_all

    chosen = Chosen.of(select or (), ignore or ())
    return _perhaps_again(
        names or [],
        lambda: lint_all(names or [], strict=strict, chosen=chosen, as_json=as_json),
        watch=watch,
        as_json=as_json,
    )


@app.command("test")
def run_tests(
    names: Names = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="A test that only a judge could decide fails, too.")
    ] = False,
    watch: Watch = False,
    as_json: AsJson = False,
) -> int:
    """Run the tests that stand in constitutions."""
    from guardrails.cli.author import test_all

    return _perhaps_again(
        names or [],
        lambda: test_all(names or [], strict=strict, as_json=as_json),
        watch=watch,
        as_json=as_json,
    )


def _perhaps_again(names: list[str], once: Callable[[], int], *, watch: bool, as_json: bool) -> int:
    if not watch:
        return once()
    if as_json:
        raise UsageError("--watch draws for people and has no end; leave out --json")
    from guardrails.cli.watch import watch as again

    return again(names, once)


@app.command()
def show(name: Name, as_json: AsJson = False) -> int:
    """Show a constitution as it is enforced, and what came from where."""
    from guardrails.cli.resolved import show_constitution

    return show_constitution(name, as_json=as_json)


@app.command()
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A constitution's name or its file.")],
    new: Annotated[
        str | None, typer.Argument(metavar="[NEW]", help="What to compare it with.")
    ] = None,
    git: Annotated[
        str | None,
        typer.Option(metavar="REVISION", help="Compare one file with what it was at a revision."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Tell what differs in meaning between two constitutions, the relaxed and tightened first.

    Status 0: the same meaning. 1: a difference. 2: wrong usage or file.
    """
    from guardrails.cli.differ import show_difference, show_since

    if git is not None and new is None:
        return show_since(old, git, as_json=as_json)
    if new is None or git is not None:
        raise UsageError("give OLD and NEW, or one of them and --git REVISION")
    return show_difference(old, new, as_json=as_json)


@app.command()
def schema(as_json: AsJson = False) -> int:
    """Print the JSON Schema of constitution files, for editors."""
    from guardrails.cli.resolved import show_schema

    return show_schema()


@app.command()
def playground(
    name: Name,
    host: Annotated[str, typer.Option(help="Where to serve it.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any.")] = 8700,
) -> int:
    """Serve a page to try texts on while you edit a constitution."""
    from guardrails.cli.play import serve_playground

    return serve_playground(name, host=host, port=port)


@app.command()
def serve(
    upstream: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The provider, such as https://api.anthropic.com."),
    ] = None,
    constitution: Annotated[
        str | None,
        typer.Option("--constitution", "-c", metavar="NAME", help="Its name or its file."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="TOML with a table serve; else the settings' file."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Where to serve; default 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Default 8080; 0 takes any.")
    ] = None,
    operations_host: Annotated[
        str | None, typer.Option(help="Where /healthz, /readyz, /metrics are; default 127.0.0.1.")
    ] = None,
    operations_port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Default 9090; 0 takes any.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Judge without any model.")] = False,
    otel: Annotated[bool, typer.Option("--otel", help="Send traces and metrics by OTLP.")] = False,
    drain_s: Annotated[
        float | None, typer.Option(min=0.1, help="What requests under way may take at the end.")
    ] = None,
    check_config: Annotated[
        bool, typer.Option("--check-config", help="Load everything, serve nothing.")
    ] = False,
) -> int:
    """Serve a proxy before a provider: what passes it is held to a constitution.

    Point ANTHROPIC_BASE_URL or OPENAI_BASE_URL at it. SIGTERM drains it, SIGHUP loads the
    constitutions again.
    """
    from guardrails.cli.serve import serve as serve_proxy

    operations = {"host": operations_host, "port": operations_port}
    said: dict[str, object] = {
        "upstream": upstream,
        "constitution": constitution,
        "host": host,
        "port": port,
        "workers": workers,
        "offline": offline or None,
        "otel": otel or None,
        "drain_s": drain_s,
        "operations": {k: v for k, v in operations.items() if v is not None} or None,
    }
    said = {name: value for name, value in said.items() if value is not None}
    return serve_proxy(config, said, check_only=check_config)


@app.command()
def doctor(as_json: AsJson = False) -> int:
    """Look at the installation, and say what is wrong and what to do."""
    from guardrails.cli.doctor import examine

    return examine(as_json=as_json)


def run(argv: Sequence[str] | None = None) -> int:
    """Run what was typed, and turn every expected error into its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    _never_fail_to_encode()
    try:
        status = _invoke(arguments, as_json="--json" in options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return Status.INTERRUPTED
    except BrokenPipeError:
        from guardrails.cli.screen import leave_pipe

        leave_pipe()
        return Status.PIPE_CLOSED
    return status


def _invoke(arguments: list[str], *, as_json: bool) -> int:
    command = typer.main.get_command(app)
    try:
        with command.make_context("constitution", arguments) as context:
            return int(command.invoke(context) or Status.FINE)
    except typer.Exit as ended:
        return int(ended.exit_code)
    except UsageError as error:
        return _fail("usage", _usage(error), as_json=as_json)
    except GuardrailsError as error:
        return _fail(_kind(error), error, as_json=as_json)


def _fail(kind: str, error: GuardrailsError | str, *, as_json: bool) -> int:
    from guardrails.cli.screen import fail

    return fail(kind, error, status=Status.WRONG, as_json=as_json)


def _usage(error: BaseException) -> str:
    """The error as typer words it, with where to read on."""
    message = getattr(error, "format_message", error.__str__)().rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "constitution"
    return f"{message}; see `{path} --help`"


def _kind(error: GuardrailsError) -> str:
    match error:
        case ConstitutionError():
            return "constitution"
        case SettingsError():
            return "settings"
        case AuditError():
            return "audit"
        case _:
            return "input"


def _attributes(pairs: Sequence[str]) -> dict[str, str | tuple[str, ...]]:
    """`KEY=VALUE` pairs; a key that is repeated has all its values."""
    found: dict[str, tuple[str, ...]] = {}
    for key, value in _pairs(pairs, "KEY=VALUE", "--attribute"):
        found[key] = (*found.get(key, ()), value)
    return {key: values[0] if len(values) == 1 else values for key, values in found.items()}


def _pairs(pairs: Sequence[str], form: str, option: str) -> list[tuple[str, str]]:
    found = []
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise typer.BadParameter(f"{pair[:60]!r} is not {form}", param_hint=option)
        found.append((key, value))
    return found


def _never_fail_to_encode() -> None:
    """A terminal of a narrow character set shows escapes instead of ending in an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
