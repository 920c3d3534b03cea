"""Runs scenarios, two at a time on one broker, and gathers their runs.

A scenario that does not come to its end is a run too: what happened until then is judged, and its log's last lines are
in the answer. Only a fault in the scenario itself is raised.
"""

import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from rich.console import Console

from ops.chaos.progress import progress
from ops.chaos.runtime.figures import judge
from ops.chaos.runtime.report import Run, whole
from ops.chaos.runtime.scenarios import PEERS, SCENARIOS, TITLES, Scenario
from ops.chaos.runtime.stage import BROKER_SETTINGS, Stage
from ops.stack.errors import PartUnavailable, StackError
from ops.stack.kafka import RealKafka

CAME_TO_ITS_END = "it comes to its end"


def run_scenarios(console: Console, names: Sequence[str], *, quick: bool, side_by_side: int = 2) -> dict[str, Any]:
    """Run them; the answer is `{"chaos", "quick", "runs", "left_out", "lost", "duplicates", "broken"}`.

    PartUnavailable when this machine has no Apache Kafka.
    """
    with RealKafka(settings=BROKER_SETTINGS) as kafka, progress(console, len(names)) as ended:

        def one(name: str) -> Run | None:
            scenario = SCENARIOS.get(name) or PEERS[name]
            run = _run(TITLES.get(name, name), scenario, kafka.bootstrap, quick=quick)
            ended(f"{name}: {_in_words(run)}")
            return run

        with ThreadPoolExecutor(side_by_side, thread_name_prefix="scenario") as pool:
            runs = list(pool.map(one, names))
    left_out = [name for name, run in zip(names, runs, strict=True) if run is None]
    return whole([run for run in runs if run is not None], quick=quick, left_out=left_out)


def _run(name: str, scenario: Scenario, bootstrap: str, *, quick: bool) -> Run | None:
    """One scenario on a stage of its own; None when a peer cannot be had on this machine."""
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="leadbus-chaos-") as folder,
        Stage(name, Path(folder), bootstrap, quick=quick) as stage,
    ):
        try:
            run = scenario(stage)
        except PartUnavailable:
            return None
        except (TimeoutError, StackError, KafkaException, OSError) as error:
            run = _judge_anyway(stage)
            run.promise(CAME_TO_ITS_END, False)
            run.more |= {"error": f"{type(error).__name__}: {error}", "logs": stage.log_ends()}
    run.seconds = time.monotonic() - began
    return run


def _judge_anyway(stage: Stage) -> Run:
    """What can be said of a run that broke off, even when its broker is not there any more."""
    sent = [] if stage.installation is None else stage.installation.sent
    try:
        if stage.installation is not None:
            return stage.run(stage.installation)
    except (TimeoutError, KafkaException, OSError):
        pass
    return Run(stage.name, len(sent), 0, judge(sent, stage.journal.lines()))


def _in_words(run: Run | None) -> str:
    if run is None:
        return "left out, it cannot be had on this machine"
    kept = f"BROKEN: {'; '.join(run.broken)}" if run.broken and run.counts else f"{run.seconds:.0f} s"
    return f"lost {len(run.figures.lost)}, {kept}"
