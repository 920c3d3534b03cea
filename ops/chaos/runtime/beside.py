"""Scenarios: the same kill -9 for others' runtimes, side by side. What they lose is a figure, never a finding."""

from pathlib import Path

from ops.bench.peers.venvs import peer_python
from ops.chaos.runtime.crashes import kill_in_flight
from ops.chaos.runtime.installation import Installation
from ops.chaos.runtime.processes import Worker
from ops.chaos.runtime.report import Run
from ops.chaos.runtime.stage import Stage
from schemas.topics import INBOUND_MESSAGES

PEERS = Path(__file__).with_name("peers")


def kill_arroyo(stage: Stage) -> Run:
    """The kill for sentry-arroyo's RunTaskInThreads."""
    return _kill(stage, peer_python("arroyo"), "arroyo_worker.py")


def kill_faststream(stage: Stage) -> Run:
    """The kill for FastStream's ACK_FIRST with max_workers."""
    return _kill(stage, peer_python("faststream"), "faststream_worker.py")


def _kill(stage: Stage, python: Path, program: str) -> Run:
    def start(topics: Installation) -> Worker:
        argv = [str(python), str(PEERS / program), "--journal", str(stage.journal.path)]
        argv += ["--bootstrap", topics.bootstrap, "--topic", topics.prefix + INBOUND_MESSAGES]
        return stage.process([*argv, "--group", topics.group])

    run = kill_in_flight(stage, start)
    run.counts = False
    return run
