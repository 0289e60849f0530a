"""`constitution audit`: list, show and verify the record of decisions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from guardrails.audit.chain import Fault
from guardrails.audit.read import StoredRecord, show, tail
from guardrails.audit.record import FindingRecord, Opened
from guardrails.audit.verify import Report, verify
from guardrails.cli.cascade import cascade_lines
from guardrails.cli.documents import document
from guardrails.cli.outcome import Status
from guardrails.cli.reading import InputError
from guardrails.cli.render import COLOURS, plain
from guardrails.cli.screen import show as put
from guardrails.cli.screen import write_json
from guardrails.display.visible import visible
from guardrails.settings import Settings, load_settings
from guardrails.verdict import Verdict

__all__ = [
    "record_line",
    "record_whole",
    "show_one",
    "show_tail",
    "trail_of",
    "verification",
    "verify_trail",
]

MOST_FAULTS = 20
MOST_UNCLOSED = 5


def show_tail(file: Path | None, *, number: int, as_json: bool) -> int:
    """List the newest records, oldest of them first."""
    trail = trail_of(file)
    records = tail(trail, number)
    if as_json:
        write_json({"file": str(trail), "records": document(records)})
    else:
        lines = [record_line(record) for record in records] or [Text("no records yet", "dim")]
        put(*lines, lines=True)
    return Status.FINE


def show_one(file: Path | None, record_id: str, *, as_json: bool) -> int:
    """Show all that is kept of one decision."""
    trail = trail_of(file)
    record = show(trail, record_id)
    if record is None:
        raise InputError(f"there is no record {record_id!r} in {str(trail)!r}")
    if as_json:
        write_json(document(record))
    else:
        put(record_whole(record))
    return Status.FINE


def verify_trail(file: Path | None, *, anchor: Path | None, key: Path | None, as_json: bool) -> int:
    """Check the whole trail; the status is 1 if anything is not as it was written."""
    settings = load_settings()
    trail = trail_of(file, settings)
    if file is None:
        anchor = anchor or settings.audit_anchor
    beside = Settings(audit=str(trail), key_file=settings.key_file).key_path
    report = verify(trail, key=key or beside, anchor=anchor)
    if as_json:
        write_json({"file": str(trail), "ok": report.ok, **document(report)})
    else:
        put(plain(str(trail), "dim"), verification(report))
    return Status.FINE if report.ok else Status.INTERVENED


def verification(report: Report) -> Group:
    """What a verification came to, for people."""
    return Group(*_verification(report))


def _verification(report: Report) -> Iterator[RenderableType]:
    counted = (
        f"{report.entries:,} entries, {report.records:,} records, "
        f"writers: {report.writers:,}, key {report.key_id}"
    )
    if report.ok and not report.entries:
        said = f" there is nothing to verify: {counted}"
        yield Text.assemble((" EMPTY ", "bold yellow reverse"), said)
    elif report.ok:
        yield Text.assemble((" VERIFIED ", "bold green reverse"), f" {counted}")
    else:
        faults = f" {report.fault_count:,} faults in {counted}"
        yield Text.assemble((" BROKEN ", "bold red reverse"), faults)
    for fault in report.faults[:MOST_FAULTS]:
        yield Padding(_fault(fault), (0, 0, 0, 2))
    if report.fault_count > MOST_FAULTS:
        yield Text(f"  … and {report.fault_count - MOST_FAULTS:,} more", style="dim")
    if report.unclosed_count:
        named = ", ".join(report.unclosed[:MOST_UNCLOSED])
        more = ", …" if report.unclosed_count > MOST_UNCLOSED else ""
        why = "their process ended first or could not write"
        yield plain(f"{report.unclosed_count:,} not closed, {why}: {named}{more}", "yellow")
    if not report.tail_anchored:
        yield Text("tail not anchored: entries cut off the end would not be missed", "yellow")
    elif report.unanchored_entries:
        yield Text(f"{report.unanchored_entries:,} entries are newer than the anchor", "yellow")


def _fault(fault: Fault) -> Text:
    places = (("writer", fault.writer), ("entry", fault.seq), ("record", fault.record_id))
    where = ", ".join(f"{name} {place}" for name, place in places if place is not None)
    return Text.assemble(
        (fault.what, "bold red"), visible(f" {fault.detail}"), (visible(f"  {where}"), "dim")
    )


def record_line(record: StoredRecord) -> Text:
    """A record on one line."""
    opened = record.opened
    if opened is None and record.begun is not None:
        began = f"{record.begun.at:%Y-%m-%d %H:%M:%S} "
        said = f" a stream of the {record.begun.stage} that has begun, its end is not on record"
        return Text.assemble((began, "dim"), (visible(record.record_id), "bold"), (said, "yellow"))
    if opened is None:
        return Text.assemble((visible(record.record_id), "bold"), (" cannot be read", "red"))
    line = Text.assemble(
        (f"{opened.at:%Y-%m-%d %H:%M:%S} ", "dim"),
        (f"{opened.verdict!s:<8} ", f"bold {COLOURS[opened.verdict]}"),
        visible(f"{opened.stage} · {opened.constitution.id} {opened.constitution.version}"),
    )
    if opened.verdict is not Verdict.ALLOW:
        found = dict.fromkeys(finding.principle for finding in opened.findings)
        line.append(visible(f" · {', '.join(found)}"))
    line.append(visible(f"  {record.record_id}"), style="dim")
    return line


def record_whole(record: StoredRecord) -> Group:
    """All that is kept of a record."""
    lines = [record_line(record)]
    if record.opened is not None:
        lines += _opened(record.opened)
    closed = record.closed
    if closed is None:
        lines.append(Text("never closed: its process ended first, or could not write", "yellow"))
    else:
        reply = f" {closed.reply_key}" if closed.reply_key else ""
        lines.append(plain(f"delivered {closed.how}{reply} at {closed.at:%Y-%m-%d %H:%M:%S}"))
        lines.append(plain(f"  {closed.delivered_digest or 'nothing'}", "dim"))
    for said in record.outcomes:
        lines.append(
            plain(f"{said.outcome} by {said.by} at {said.at:%Y-%m-%d %H:%M:%S}: {said.reason}")
        )
    return Group(*lines)


def _opened(opened: Opened) -> Iterator[Text]:
    pin = opened.constitution
    mode = "offline" if pin.offline else ", ".join(f"{k}={v}" for k, v in pin.models.items())
    yield plain(f"under {pin.digest} {mode}", "dim")
    yield plain(f"tenant {opened.tenant}, cause {opened.cause or 'none'}")
    for finding in opened.findings:
        yield _finding(finding)
    for attempt in opened.attempts:
        edits = ", ".join(dict.fromkeys(edit.kind for edit in attempt.edits))
        fate = "released" if attempt.released else "not released"
        yield plain(f"  {attempt.method} ({edits}) was judged {attempt.verdict}, {fate}")
    if opened.released_before_breach:
        yield plain("stopped for what had left already", "yellow")
    if opened.coverage.uncovered:
        yield plain(f"not judged: {', '.join(opened.coverage.uncovered)}", "yellow")
    yield from cascade_lines(opened.usage)
    yield plain(f"judged {opened.judged_digest}", "dim")
    if opened.redacted_text is not None:
        yield plain(opened.redacted_text, "italic")


def _finding(finding: FindingRecord) -> Text:
    part, span = finding.part, finding.span
    place = "" if span is None else f" at {span[0]}–{span[1]} of part {part}"
    return Text.assemble(
        (visible(f"  {finding.principle}"), "bold"),
        visible(f" → {finding.action} ({finding.value}, {finding.critic}){place}"),
    )


def trail_of(file: Path | None, settings: Settings | None = None) -> Path:
    """The trail that was named, else the one of the settings. Raises InputError."""
    trail = file or (settings or load_settings()).audit_file
    if trail is None:
        raise InputError("settings keep records in memory; name the file of a trail")
    if not trail.is_file():
        raise InputError(f"{str(trail)!r} is no audit trail: there is no such file")
    return trail
