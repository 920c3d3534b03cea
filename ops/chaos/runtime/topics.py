"""Scenarios: the topic is deleted and made again under a group's commits."""

from ops.chaos.runtime.records import Order
from ops.chaos.runtime.report import Run
from ops.chaos.runtime.stage import Stage
from ops.chaos.runtime.waiting import happens
from schemas.topics import INBOUND_MESSAGES

FIRST = 1_000_000
"""Number of the first record of the new topic."""


def recreated_with_fewer(stage: Stage) -> Run:
    """The topic is made anew while the daemon is down, with fewer records than the old commits say, and the commits
    survive: every record of the new topic is handled.
    """
    return _recreated(stage, 0.25)


def recreated_with_more(stage: Stage) -> Run:
    """The same with more records than the old commits say, so that only the topic's id can tell."""
    return _recreated(stage, 2.5)


def _recreated(stage: Stage, part: float) -> Run:
    old = int(stage.size(400, 4_000))
    topics = stage.topics()
    topics.produce(Order(number) for number in range(old))
    first = stage.worker(topics, {}).wait_ready()
    stage.until_committed(60)
    first.ask_to_stop()
    first.wait_stopped(20)
    commits = topics.commits()
    topics.drop(INBOUND_MESSAGES)
    topics.create(INBOUND_MESSAGES)
    dropped = not topics.commits()
    # A broker forgets the commits of a topic that it deletes; a restored or mirrored cluster does not.
    topics.commit(commits)
    topics.sent.clear()
    topics.produce(Order(number) for number in range(FIRST, FIRST + int(old * part)))
    stage.worker(topics, {}).wait_ready()
    new = {one.number for one in topics.sent}
    happens(lambda: new <= set(stage.journal.numbers("end")), stage.size(10, 30))
    run = stage.run(topics)
    run.more |= {"old_commit": sum(at for at, _ in commits.values()), "broker_dropped_commits": dropped}
    return run
