"""Scenarios: a worker is killed, or asked to stop, in the middle of its work."""

import time
from collections.abc import Callable

from ops.chaos.runtime.evidence import covered_by_commit
from ops.chaos.runtime.installation import Installation
from ops.chaos.runtime.processes import Worker
from ops.chaos.runtime.records import PARTITIONS, Order, keyed
from ops.chaos.runtime.report import Run
from ops.chaos.runtime.stage import Stage
from ops.chaos.runtime.traffic import Traffic
from ops.chaos.runtime.waiting import happens

SLOTS = 500
RATE = 200
"""Records a second."""
SESSION_MS = 6_000
LONGEST_COMMIT_INTERVAL = 7.0
"""Seconds within which everybody has committed something: aiokafka's own commits come every five."""


def kill(stage: Stage) -> Run:
    """kill -9 with 500 handlers under way behind one long record per partition, then a new process: nothing is lost,
    nothing is run again that a commit told to be finished, and of what it did not tell at most the last second's.
    """
    settings = {"slots": SLOTS, "session_timeout_ms": SESSION_MS}
    run = kill_in_flight(stage, lambda topics: stage.worker(topics, settings))
    _rerun_promises(run)
    return run


def kill_in_flight(stage: Stage, start: Callable[[Installation], Worker]) -> Run:
    """The kill, for any worker with SLOTS slots that `start` starts."""
    head, rest = stage.size(14, 60), int(stage.size(2_500, 6_000))
    topics = stage.topics()
    topics.produce(Order(number, f"sleep {head:g}") for number in range(PARTITIONS))
    topics.produce(Order(n, f"sleep {2.5 + n % 11 / 10:.1f}") for n in range(PARTITIONS, PARTITIONS + rest))
    first = start(topics).wait_ready()
    ready = time.monotonic()
    stage.until_ended(int(stage.size(700, 1_500)))
    time.sleep(max(0.0, ready + LONGEST_COMMIT_INTERVAL - time.monotonic()))
    killed = first.kill()
    finished = stage.ended()
    under_way = len(stage.journal.numbers("start")) - finished
    committed = covered_by_commit(topics)
    second = start(topics).wait_ready()
    # Who has committed too much never gets the rest: enough when all that it has begun has ended.
    happens(lambda: topics.all_committed() and _rests(stage, second), head + 120)
    run = stage.run(topics, faults=[killed], committed=committed)
    run.more |= {"in_flight_at_kill": under_way, "finished_at_kill": finished}
    return run


def _rests(stage: Stage, worker: Worker) -> bool:
    begun = len(stage.journal.numbers("start", worker.pid))
    return begun > 0 and begun == stage.ended(worker)


def kill_by_key(stage: Stage) -> Run:
    """kill -9 under load that is ordered by key, then a new process: besides what the kill promises, no key is worked
    on out of order, though some of its records are run again.
    """
    topics, load = stage.topics(), int(stage.size(700, 3_000))
    settings = {"slots": SLOTS, "session_timeout_ms": int(stage.size(3_000, 6_000))}
    with Traffic(topics, RATE, keyed):
        first = stage.worker(topics, settings, ordered=True).wait_ready()
        stage.until_ended(load)
        killed = first.kill()
        committed = covered_by_commit(topics)
        second = stage.worker(topics, settings, ordered=True).wait_ready()
        stage.until_ended(load, second)
    stage.until_committed()
    run = stage.run(topics, faults=[killed], committed=committed, ordered=True)
    _rerun_promises(run)
    return run


def _rerun_promises(run: Run) -> None:
    run.promise("what a commit told to be finished is not run again", run.figures.committed_rerun == 0)
    run.promise("finished work is run again at most from the last second", run.figures.finished_old == 0)


def stop(stage: Stage) -> Run:
    """SIGTERM with time enough: what has begun is finished and committed, nothing is run again, and the group is left
    at once, long before its session would have run out.
    """
    topics = stage.topics()
    topics.produce(Order(number, "sleep 2") for number in range(int(stage.size(400, 2_000))))
    settings = {"slots": int(stage.size(100, 300)), "session_timeout_ms": 30_000, "grace_seconds": 20}
    first = stage.worker(topics, settings).wait_ready()
    stage.until_ended(1)
    asked = first.ask_to_stop()
    stopping = first.wait_stopped(30)
    members = topics.members()
    begun = set(stage.journal.numbers("start"))
    unfinished = begun - set(stage.journal.numbers("end"))
    committed = covered_by_commit(topics)
    stage.worker(topics, settings).wait_ready()
    stage.until_committed()
    run = stage.run(topics, faults=[asked], committed=committed)
    run.more |= {"stopping_seconds": round(stopping, 2)}
    run.promise("what has begun is finished", not unfinished)
    run.promise("all of it is committed", begun <= committed)
    run.promise("nothing is run again", run.figures.finished_rerun + run.figures.in_flight_rerun == 0)
    run.promise("the group is left at once", members == 0)
    return run


def stop_in_a_hurry(stage: Stage) -> Run:
    """SIGTERM with too little time: the worker ends when its grace time is over, what it had finished is committed,
    and what it had to cancel is run by the next one. Nothing is lost.
    """
    topics = stage.topics()
    long, short = int(stage.size(20, 100)), int(stage.size(300, 1_500))
    topics.produce(Order(number, f"sleep {stage.size(8, 30):g}") for number in range(long))
    topics.produce(Order(number, "sleep 0.2") for number in range(long, long + short))
    settings = {"slots": SLOTS, "session_timeout_ms": 30_000, "grace_seconds": 1}
    first = stage.worker(topics, settings).wait_ready()
    stage.until_ended(short // 2)
    asked = first.ask_to_stop()
    stopping = first.wait_stopped(20)
    members = topics.members()
    finished = set(stage.journal.numbers("end"))
    committed = covered_by_commit(topics)
    stage.worker(topics, settings).wait_ready()
    stage.until_committed()
    run = stage.run(topics, faults=[asked], committed=committed)
    run.more |= {"stopping_seconds": round(stopping, 2)}
    run.promise("what was finished is committed", finished <= committed)
    run.promise("only what was cancelled is run again", run.figures.finished_rerun == 0)
    run.promise("the group is left at once", members == 0)
    return run
