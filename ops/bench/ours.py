"""Our runtime as a contestant: a daemon built as production builds it, in a process of its own.

Reads an order and answers like the peers do (`ops.bench.peers.measuring`). The order's `handler`:

    noop    nothing is done and nothing looked at: the document stays unread
    typed   the document is read and validated, as every daemon of ours does, and nothing is done with it
    raw     slots, ledger and commits alone: the record is handed over as it came, as to the retry daemon
    sleep   `work_seconds` in each handler, on `slots` slots
    keyed   the same, in the order of keys, and `special_key` is the hot one: what is done of the other keys is counted
            by partition, for `max_seconds` from one second after the first record

It is enough after `records`, or `max_seconds` after the first; then the daemon is stopped, and the time of its last
commit is the end.
"""

import asyncio
import cProfile
import logging
import sys
import time
from collections.abc import Coroutine, Sequence
from typing import Any

from connectors.settings import ConnectionSettings
from connectors.store.seam import Parked
from consumers.runtime.client import Arrival
from consumers.runtime.clock import SystemClock
from consumers.runtime.daemon import build_daemon, open_daemon, plan_of
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.lifecycle import Daemon
from consumers.runtime.metrics import Metrics
from consumers.runtime.seam import DaemonSpec, Publication, Record
from consumers.runtime.settings import RuntimeSettings
from ops.bench.peers.measuring import WARM_UP_SECONDS, Tally, late_by, read_order, write_answer
from ops.bench.records import Measured

LOOK_SECONDS = 0.002


class NoParking:
    """Nothing of a measurement may end parked."""

    async def park(self, tenant_id: str, parked: Parked) -> None:
        """Refuses, so that the run shows it."""
        raise RuntimeError(f"a measured record was parked: {parked.reason}")


class Course:
    """One run: the handlers, and when it is enough."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.tally = Tally(order)
        self.starts: list[float] = []
        self.begun = asyncio.Event()
        self.enough = asyncio.Event()
        self.special = 0
        self.special_partition: int | None = None
        self.others: dict[int, int] = {}
        """Partition to the records of other keys done there once warm."""
        self._work = float(order.get("work_seconds", 0.0))
        self._special = str(order.get("special_key", "")).encode()

    async def noop(self, record: Record[Measured]) -> Sequence[Publication]:
        """Nothing."""
        self._one()
        return ()

    async def typed(self, record: Record[Measured]) -> Sequence[Publication]:
        """Nothing, with the document in hand."""
        assert record.document.envelope is not None
        if not self.tally.timed:
            self._one()
        elif record.timestamp is not None:
            self._one(self.tally.one_timed(record.timestamp.timestamp() * 1000))
        return ()

    async def raw(self, arrival: Arrival) -> None:
        """Nothing, raw."""
        self._one()

    async def sleep(self, record: Record[Measured]) -> Sequence[Publication]:
        """A call that takes its time."""
        self._begin()
        self.starts.append(time.perf_counter())
        await asyncio.sleep(self._work)
        self._one()
        return ()

    async def keyed(self, record: Record[Measured]) -> Sequence[Publication]:
        """The same, in the order of keys."""
        self._begin()
        partition = record.place.partition
        if record.key == self._special:
            self.special_partition = partition
            await asyncio.sleep(self._work)
            self.special += 1
            return ()
        warm = time.perf_counter() - self.tally.began > WARM_UP_SECONDS
        if warm and record.timestamp is not None:
            self.tally.delays.append(time.time() - record.timestamp.timestamp())
        await asyncio.sleep(self._work)
        if warm and not self.enough.is_set():
            self.others[partition] = self.others.get(partition, 0) + 1
        return ()

    def _begin(self) -> None:
        if not self.begun.is_set():
            self.tally.start()
            self.begun.set()

    def _one(self, is_enough: bool | None = None) -> None:
        if not self.enough.is_set() and (self.tally.one() if is_enough is None else is_enough):
            self.tally.stamp()
            self.enough.set()


def daemon_of(course: Course) -> Daemon:
    """The daemon under measurement, not started."""
    order = course.order
    connections = ConnectionSettings(
        kafka_bootstrap=order["bootstrap"], store_url="sqlite:///none", objects_url="memory://"
    )
    settings = RuntimeSettings(**order.get("settings", {}))
    clock = SystemClock()
    handlers = {
        "noop": course.noop,
        "typed": course.typed,
        "raw": course.noop,
        "sleep": course.sleep,
        "keyed": course.keyed,
    }
    spec = DaemonSpec(
        name=str(order["group"]),
        description="measured",
        topics={str(order["topic"]): Measured},
        publishes={},
        handler=handlers[order["handler"]],
        slots=int(order.get("slots", 500)),
        ordered_by_key=order["handler"] == "keyed",
    )
    if order["handler"] == "raw":
        raw = open_daemon(plan_of(spec), connections, settings, clock=clock, metrics=Metrics.create())
        raw.work_with(course.raw)
        return raw
    return build_daemon(spec, connections, settings, parking=NoParking(), failpoints=Failpoints(), clock=clock)


async def run(order: dict[str, Any]) -> dict[str, Any]:
    """Run until it is enough; the answer."""
    course = Course(order)
    daemon = daemon_of(course)
    await daemon.start()
    watch = asyncio.create_task(_give_up(course))
    await course.enough.wait()
    watch.cancel()
    await _stop(daemon, course)
    if course.starts:
        course.tally.delays = late_by(course.starts, int(order["slots"]), float(order["work_seconds"]))
    return course.tally.answer(
        special=course.special,
        special_partition=course.special_partition,
        others={str(partition): count for partition, count in course.others.items()},
    )


async def _stop(daemon: Daemon, course: Course) -> None:
    """Stop, and stamp the time of the last commit."""
    stopping = asyncio.create_task(daemon.stop())
    commits = daemon.metrics.value("commits_total")
    while not stopping.done():
        await asyncio.sleep(LOOK_SECONDS)
        if (now := daemon.metrics.value("commits_total")) > commits:
            commits = now
            course.tally.stamp()
    await stopping


async def _give_up(course: Course) -> None:
    """What may never become enough ends anyway."""
    await course.begun.wait()
    await asyncio.sleep(course.tally.max_seconds + WARM_UP_SECONDS)
    course.tally.stamp()
    course.enough.set()


def main() -> None:
    """One order, one answer. `profile` in the order names a file for cProfile's figures; nothing is measured then."""
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    order = read_order()
    profile = cProfile.Profile() if order.get("profile") else None
    if profile is not None:
        profile.enable()
    answer = _run(run(order))
    if profile is not None:
        profile.disable()
        profile.dump_stats(order["profile"])
    write_answer(answer)


def _run(coroutine: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    # As `leadbus consumer` does it.
    try:
        import uvloop
    except ImportError:
        return asyncio.run(coroutine)
    return uvloop.run(coroutine)


if __name__ == "__main__":
    main()
