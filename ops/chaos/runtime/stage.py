"""The stage of one fault run: its topics, its workers, its journal, and the run that it ends with.

A scenario gets a stage, does its harm, says `run.promise(...)` for each thing that was promised, and returns the run.
Whatever happens, leaving the stage ends its workers.
"""

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ops.chaos.runtime.evidence import dead_letters, found_on, returning
from ops.chaos.runtime.figures import judge
from ops.chaos.runtime.installation import Installation
from ops.chaos.runtime.journal import Journal
from ops.chaos.runtime.processes import Worker
from ops.chaos.runtime.report import Run
from ops.chaos.runtime.waiting import happens, wait_until
from ops.stack.child import Child
from ops.stack.guard import Guard
from ops.stack.kafka import RealKafka

ROOT = Path(__file__).resolve().parents[3]
SHARE = 200
"""Handlers that a worker must have ended to have taken part."""
BROKER_SETTINGS = {"group.min.session.timeout.ms": "1000"}
"""Sessions shorter than a broker usually allows: the small sizes need not wait for six seconds."""


class Stage:
    """Of one scenario."""

    def __init__(self, name: str, folder: Path, bootstrap: str, *, quick: bool) -> None:
        self.name = name
        self.quick = quick
        self.bootstrap = bootstrap
        self.journal = Journal(folder / "journal.jsonl")
        self.installation: Installation | None = None
        """The topics, once they are made."""
        self._folder = folder
        self._guard = Guard()
        self._children: list[Child] = []
        self._brokers: list[RealKafka] = []

    def topics(self, bootstrap: str = "", *, without: Sequence[str] = ()) -> Installation:
        """Topics of its own, but those in `without`."""
        self.installation = Installation(bootstrap or self.bootstrap, without=without)
        return self.installation

    def size(self, quick: float, full: float) -> float:
        """A number for the size that was asked for."""
        return quick if self.quick else full

    def broker(self, settings: Mapping[str, str] | None = None) -> RealKafka:
        """A broker of its own, running, for what must not disturb the runs beside this one."""
        broker = RealKafka(settings={**BROKER_SETTINGS, **(settings or {})})
        self._brokers.append(broker)
        broker.start()
        return broker

    def worker(
        self,
        topics: Installation,
        settings: Mapping[str, object],
        *,
        ordered: bool = False,
        reads: int = 1,
    ) -> Worker:
        """Start a worker; `settings` are the runtime's, by field name, the rest is its own."""
        argv = [sys.executable, "-m", "ops.chaos.runtime.worker", "--journal", str(self.journal.path)]
        argv += ["--bootstrap", topics.bootstrap, "--prefix", topics.prefix, "--reads", str(reads)]
        argv += ["--ordered"] if ordered else []
        return self.process(argv, {f"LEADBUS_{name.upper()}": str(value) for name, value in settings.items()})

    def process(self, argv: Sequence[str], env: dict[str, str] | None = None) -> Worker:
        """Start a process that prints a ready line."""
        name = f"{self.name} worker {len(self._children) + 1}"
        log = self._folder / f"worker-{len(self._children) + 1}.log"
        child = Child(name, argv, log=log, guard=self._guard, env={"PYTHONPATH": str(ROOT), **(env or {})})
        self._children.append(child)
        child.start()
        return Worker(child)

    def run(
        self,
        topics: Installation,
        *,
        faults: Sequence[float] = (),
        committed: Collection[int] = (),
        ordered: bool = False,
        since: float | None = None,
        until: float | None = None,
        without: Collection[int] = (),
    ) -> Run:
        """Judge what was sent but the numbers in `without`, which nobody should handle."""
        found = found_on(topics, topics.sent)
        elsewhere = {number for number, _ in dead_letters(topics)} | returning(topics) | self.parked(topics)
        figures = judge(
            [one for one in found if one.number not in without],
            self.journal.lines(),
            elsewhere=elsewhere,
            faults=faults,
            committed=committed,
            ordered=ordered,
            since=since,
            until=until,
        )
        run = Run(self.name, accepted=len(topics.sent), found=len(found), figures=figures)
        run.promise("nothing is lost", not figures.lost and len(found) == len(topics.sent))
        if ordered:
            run.promise("records of a key are handled in their order", figures.order_breaks == 0)
        return run

    def ended(self, worker: Worker | None = None) -> int:
        """How many handlers have ended, of one worker or of all."""
        return len(self.journal.numbers("end", worker.pid if worker else None))

    def until_ended(self, count: int, worker: Worker | None = None, *, seconds: float = 90.0) -> float:
        """Wait until `count` handlers have ended; returns the moment."""
        return wait_until(f"{count} handlers have ended", lambda: self.ended(worker) >= count, seconds)

    def takes_part(self, worker: Worker) -> bool:
        """Whether a worker that joined takes some of the work within half a minute."""
        return happens(lambda: self.ended(worker) >= SHARE, 30)

    def until_committed(self, seconds: float = 90.0) -> None:
        """Wait until the group's commits have reached the end of what was sent."""
        assert self.installation is not None
        wait_until("everything is committed", self.installation.all_committed, seconds, every=0.5)

    def log_ends(self) -> dict[str, str]:
        """The last lines that each worker logged."""
        return {child.name: child.tail(12) for child in self._children}

    def parked(self, topics: Installation) -> set[int]:
        """The numbers of the records that were parked."""
        events = {one.event_id: one.number for one in topics.sent}
        parked = {line.event_id for line in self.journal.lines() if line.event == "park"}
        return {events[event] for event in parked & events.keys()}

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children:
            child.kill()
        for broker in self._brokers:
            broker.stop()
        self._guard.close()
