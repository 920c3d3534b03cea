"""The daemon that is harmed: as small as a daemon can be, a process of its own, told by each record what to do with it.

The message of a lead is the command: `ok`, `sleep 3`, `retry 10`, `permanent`. What a handler does is journaled at its
start, at its end and when it is cancelled; what is parked goes to the journal too, so that no store is needed. A record
that says `publish` has its document published, grown by a section; then it is finished when that is on the topic.
Run it as `python -m ops.chaos.runtime.worker`; the runtime's settings are the usual `LEADBUS_*` variables.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from connectors.settings import ConnectionSettings
from connectors.store.seam import Parked
from consumers.runtime.clock import SystemClock
from consumers.runtime.daemon import build_daemon
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.seam import DaemonSpec, Permanent, Publication, Record, RetryAfter
from consumers.runtime.settings import RuntimeSettings
from ops.chaos.runtime.journal import Journal
from schemas import codec
from schemas.documents import Analysis, AnalysisState, Analyzed, Inbound, grow
from schemas.headers import document_headers
from schemas.topics import ANALYZED, INBOUND_MESSAGES

NAME = "chaos"
GROUP = f"leadbus.{NAME}"
HANDLER_SECONDS = 120.0


class InboundOfTomorrow(Inbound):
    """The document after a change that older daemons must not read."""

    schema_version: ClassVar[str] = "2.0"


DOCUMENTS: dict[int, type[Inbound]] = {1: Inbound, 2: InboundOfTomorrow}
"""Newest major version that a worker reads, to its type of document."""


class JournalParking:
    """Parks into the journal; parking twice is told by two lines."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def park(self, tenant_id: str, parked: Parked) -> None:
        self._journal.write("park", -1, parked.topic, -1, -1, event_id=parked.event_id, reason=parked.reason)


def chaos_spec(journal: Journal, *, ordered: bool = False, reads: int = 1) -> DaemonSpec[Inbound]:
    """The daemon: does as it is told. `reads` is the newest major version of the document that it knows."""

    async def handle(record: Record[Inbound]) -> Sequence[Publication]:
        told, place = record.document.lead.extra, record.place
        number = int(told["number"])
        where = (number, place.topic, place.partition, place.offset)
        journal.write("start", *where, attempt=record.attempt)
        command, _, argument = (record.document.lead.message or "").partition(" ")
        try:
            if command == "sleep":
                await asyncio.sleep(float(argument))
        except asyncio.CancelledError:
            journal.write("cancelled", *where, attempt=record.attempt)
            raise
        if command in ("retry", "permanent") and record.attempt == 0:
            journal.write("failed", *where, attempt=record.attempt)
            raise RetryAfter("told_to", delay=float(argument)) if command == "retry" else Permanent("told_to")
        journal.write("end", *where, attempt=record.attempt)
        return [_grown(record)] if told.get("publish") else []

    return DaemonSpec(
        name=NAME,
        description="Does what the record says, for fault runs.",
        topics={INBOUND_MESSAGES: DOCUMENTS[reads]},
        publishes={ANALYZED: Analyzed},
        handler=handle,
        ordered_by_key=ordered,
        handler_timeout=HANDLER_SECONDS,
    )


def _grown(record: Record[Inbound]) -> Publication:
    envelope = record.document.envelope
    headers = document_headers(
        tenant=envelope.tenant_id,
        request_id=envelope.request_id,
        event_id=envelope.event_id,
        schema=Analyzed.schema_name,
        version=Analyzed.schema_version,
    )
    grown = grow(record.json, analysis=Analysis(state=AnalysisState.DONE, lead_score=50))
    return Publication(ANALYZED, record.key or b"", codec.dumps(grown), tuple(headers))


def main() -> None:
    """Run until a signal; a ready line is printed once the first assignment is placed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--ordered", action="store_true")
    parser.add_argument("--reads", type=int, default=1)
    options = parser.parse_args()
    journal = Journal(options.journal)

    def ready() -> None:
        sys.stdout.write('{"ready": true}\n')
        sys.stdout.flush()

    daemon = build_daemon(
        chaos_spec(journal, ordered=options.ordered, reads=options.reads),
        ConnectionSettings(
            kafka_bootstrap=options.bootstrap,
            topic_prefix=options.prefix,
            store_url="unused",
            objects_url="memory://",
        ),
        RuntimeSettings(),
        parking=JournalParking(journal),
        failpoints=Failpoints.from_environment(os.environ),
        clock=SystemClock(),
        on_ready=ready,
    )
    asyncio.run(daemon.run())


if __name__ == "__main__":
    main()
