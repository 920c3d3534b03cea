"""Scenarios: members of the group come and go, or fall asleep, under load that is ordered by key."""

import itertools
import time

from ops.chaos.runtime.records import keyed
from ops.chaos.runtime.report import Run
from ops.chaos.runtime.stage import Stage
from ops.chaos.runtime.traffic import Traffic

RATE = 200
SLOTS = 100


def join_then_the_old_one_leaves(stage: Stage) -> Run:
    """A second replica joins under load and the first leaves: no key is worked on out of order, nothing is lost, and
    what had been finished is run again at most from the last second before the group shared out anew.
    """
    return _join_and_leave(stage, old_leaves=True)


def join_then_the_new_one_leaves(stage: Stage) -> Run:
    """A second replica joins under load and leaves again, with the same promises."""
    return _join_and_leave(stage, old_leaves=False)


def _join_and_leave(stage: Stage, *, old_leaves: bool) -> Run:
    topics, load = stage.topics(), int(stage.size(300, 2_000))
    settings = {"slots": SLOTS, "session_timeout_ms": 6_000, "grace_seconds": 5}
    with Traffic(topics, RATE, keyed):
        old = stage.worker(topics, settings, ordered=True).wait_ready()
        stage.until_ended(load, old)
        new = stage.worker(topics, settings, ordered=True).wait_ready()
        joined = time.monotonic()
        shared = stage.takes_part(new)
        leaver, stayer = (old, new) if old_leaves else (new, old)
        left = leaver.ask_to_stop()
        leaver.wait_stopped(20)
        stage.until_ended(stage.ended(stayer) + load, stayer)
    stage.until_committed()
    run = stage.run(topics, faults=[joined, left], ordered=True)
    run.promise("the second replica takes a share of the work", shared)
    run.promise("finished work is run again at most from the last second", run.figures.finished_old == 0)
    return run


def fell_asleep(stage: Stage) -> Run:
    """A worker is paused (SIGSTOP) until long after its session, a second one takes over, then it is woken: no commit
    of what it lost is taken, it begins nothing that the other has done, no key is worked on out of order, nothing is
    lost. What it was doing may end.
    """
    topics, load = stage.topics(), int(stage.size(600, 2_000))
    session = stage.size(3, 6)
    settings = {"slots": SLOTS, "session_timeout_ms": int(session * 1_000), "rebalance_timeout_ms": 10_000}
    with Traffic(topics, RATE, keyed):
        sleeper = stage.worker(topics, settings, ordered=True).wait_ready()
        stage.until_ended(load)
        asleep = sleeper.pause()
        other = stage.worker(topics, settings, ordered=True).wait_ready()
        stage.until_ended(load, other)
        time.sleep(max(0.0, asleep + session * stage.size(2, 5) - time.monotonic()))
        awake, commits = sleeper.wake(), [topics.commits()]
        while time.monotonic() < awake + stage.size(4, 10):
            commits.append(topics.commits())
            time.sleep(0.1)
        stage.until_ended(stage.ended() + load)
    stage.until_committed(60)
    lines = stage.journal.lines()
    begun = {line.number for line in lines if line.event == "start" and line.pid == other.pid and line.at < awake}
    stale = [line for line in lines if line.event == "start" and line.pid == sleeper.pid and line.at > awake]
    run = stage.run(topics, faults=[asleep, awake], ordered=True)
    run.more |= {
        "asleep_seconds": round(awake - asleep, 1),
        "stale_starts": sum(line.number in begun for line in stale),
    }
    run.promise("no commit goes back", all(_goes_on(*pair) for pair in itertools.pairwise(commits)))
    run.promise("finished work is run again at most from the last second", run.figures.finished_old == 0)
    return run


def _goes_on(before: dict[int, tuple[int, str]], after: dict[int, tuple[int, str]]) -> bool:
    return all(after[partition][0] >= offset for partition, (offset, _) in before.items())
