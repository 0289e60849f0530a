"""What the record costs: records a second for 1 and 32 callers, and the time to check a trail.

Each record is opened and closed, both on disk when acknowledged. The disk decides most of it.

    python benchmarks/audit_bench.py [--records 20000] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from guardrails.audit.record import (
    Closed,
    ConstitutionRecord,
    FindingRecord,
    Opened,
    new_record_id,
)
from guardrails.audit.trail import Trail, open_trail
from guardrails.audit.verify import verify
from guardrails.settings import Settings
from guardrails.verdict import Stage, Verdict


def opened(record_id: str, digest: str) -> Opened:
    """A record of usual size: two findings, some 900 bytes."""
    finding = FindingRecord(
        principle="med.dosage.individual-advice",
        critic="pattern",
        value="breach",
        cause="policy",
        action="flag",
        severity="high",
        part=0,
        span=(120, 161),
    )
    return Opened(
        record_id=record_id,
        at=datetime.now(UTC),
        stage=Stage.OUTPUT,
        verdict=Verdict.FLAG,
        cause="policy",
        constitution=ConstitutionRecord(id="medical", version="1.0.0", digest="sha256:" + 64 * "0"),
        tenant="default",
        findings=(finding, finding),
        judged_digest=digest,
    )


async def call(trail: Trail, records: int, latencies: list[float]) -> None:
    digest = trail.digest(["the answer"])
    for _ in range(records):
        record_id = new_record_id()
        start = time.perf_counter()
        await trail.open(opened(record_id, digest))
        latencies.append(time.perf_counter() - start)
        await trail.close(
            Closed(record_id=record_id, at=datetime.now(UTC), how="judged", delivered_digest=digest)
        )


async def measure(trail: Trail, callers: int, records: int) -> dict[str, float]:
    latencies: list[float] = []
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(call(trail, records // callers, latencies) for _ in range(callers)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    latencies.sort()
    return {
        "callers": callers,
        "records_per_s": round(len(latencies) / wall),
        "cpu_us_per_record": round(cpu / len(latencies) * 1e6),
        "open_p50_ms": round(latencies[len(latencies) // 2] * 1e3, 2),
        "open_p95_ms": round(latencies[len(latencies) * 95 // 100] * 1e3, 2),
    }


async def run(folder: Path, records: int) -> dict[str, object]:
    settings = Settings(audit=str(folder / "audit.db"), audit_anchor=folder / "anchor")
    trail = open_trail(settings)
    writing = [
        await measure(trail, 1, min(records, 1_000)),
        await measure(trail, 32, records),
    ]
    await trail.aclose()
    start = time.perf_counter()
    report = verify(folder / "audit.db", key=settings.key_path, anchor=settings.audit_anchor)
    wall = time.perf_counter() - start
    return {
        "machine": f"{platform.machine()} {platform.system()}, Python {platform.python_version()}",
        "writing": writing,
        "verify": {
            "ok": report.ok,
            "entries": report.entries,
            "entries_per_s": round(report.entries / wall),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, help="where to write; the disk to be measured")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        print(json.dumps(asyncio.run(run(Path(folder), arguments.records)), indent=2))


if __name__ == "__main__":
    main()
