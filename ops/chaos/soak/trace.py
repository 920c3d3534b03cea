"""What a run writes into its folder, so that a finding can be followed to its cause.

trace.jsonl      what was done to whom and when: signals, returns, vendors' faults, ends that nobody asked for
records.jsonl    each record of each topic: where it lies and what identifies it, never its content
"""

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TextIO

from ops.demo.watch import Seen
from schemas import headers


class Trace:
    """The two files; `note` and `record` may be called from different threads."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._files = contextlib.ExitStack()
        self._notes = self._open(folder / "trace.jsonl")
        self._records = self._open(folder / "records.jsonl")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def note(self, what: str, about: dict[str, Any]) -> None:
        """Something happened, now."""
        _write(self._notes, {"at": datetime.now(UTC).isoformat(), "what": what, **about})

    def record(self, seen: Seen) -> None:
        """A record was read."""
        _write(self._records, _brief(seen))

    def _open(self, path: Path) -> TextIO:
        return self._files.enter_context(path.open("w", encoding="utf-8"))


def _write(file: TextIO, value: dict[str, Any]) -> None:
    file.write(json.dumps(value, default=str) + "\n")
    file.flush()


def _brief(seen: Seen) -> dict[str, Any]:
    document = seen.document
    envelope, step = document.get("envelope") or {}, document.get("step") or {}
    about = {
        "event": envelope.get("event_id"),
        "request": envelope.get("request_id"),
        "tenant": envelope.get("tenant_id"),
        "kind": envelope.get("event_kind"),
        "phase": document.get("phase") or (document.get("decision") or {}).get("phase"),
        "step": document.get("step_id") or step.get("step_id"),
        "order": step.get("order_id"),
        "state": document.get("state"),
        "reason": document.get("reason"),
    }
    place = [seen.topic, seen.partition, seen.offset, seen.timestamp_ms]
    return {"place": place, **{name: value for name, value in about.items() if value is not None}, **_failure(seen)}


def _failure(seen: Seen) -> dict[str, str]:
    wanted = ("failure_", "retry_", headers.RELEASED, headers.PARK_ID)
    return {
        name: value.decode(errors="replace")
        for name, value in seen.headers.items()
        if name.startswith(wanted) and value is not None and name != headers.FAILURE_FIRST_AT
    }
