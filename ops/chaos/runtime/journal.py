"""The journal of handlers: a line of JSON for every start and every end, written at once.

Each line is one write to a file opened for appending: lines of several processes never mix, and a process killed
right after a write has its line in the file. Times are of the monotonic clock, which all processes of a machine share.

Imports the standard library only: the peers' workers write it too, with an interpreter of their own.
"""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Event = Literal["start", "end", "cancelled", "failed", "park"]


@dataclass(frozen=True, slots=True)
class Line:
    """One event of a handler. `number` is the record's own, the same wherever it lies; -1 where it cannot be read."""

    event: Event
    number: int
    topic: str
    partition: int
    offset: int
    attempt: int
    pid: int
    at: float
    """Monotonic seconds."""
    event_id: str = ""
    reason: str = ""


class Journal:
    """A file of lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None
        self._read = 0
        self._lines: list[Line] = []

    def write(
        self,
        event: Event,
        number: int,
        topic: str,
        partition: int,
        offset: int,
        *,
        attempt: int = 0,
        event_id: str = "",
        reason: str = "",
    ) -> None:
        """Append a line of this process; it is in the file when this returns."""
        if self._file is None:
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        line = Line(event, number, topic, partition, offset, attempt, os.getpid(), time.monotonic(), event_id, reason)
        os.write(self._file, json.dumps(asdict(line)).encode() + b"\n")

    def lines(self) -> list[Line]:
        """Every whole line so far, in the order of writing."""
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self._read)
                whole, end, _ = file.read().rpartition(b"\n")
            self._read += len(whole) + len(end)
            self._lines += [Line(**json.loads(text)) for text in whole.splitlines()]
        return list(self._lines)

    def numbers(self, event: Event, pid: int | None = None) -> list[int]:
        """The numbers of the lines of an event, of one process or of all."""
        return [line.number for line in self.lines() if line.event == event and pid in (None, line.pid)]
