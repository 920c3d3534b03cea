"""Scenarios: the broker dies and comes back, or goes on but takes no commits. Each has a broker of its own."""

import time
from collections import Counter

from ops.chaos.runtime.evidence import metric
from ops.chaos.runtime.proxy import COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, Proxy
from ops.chaos.runtime.records import Order
from ops.chaos.runtime.report import Run
from ops.chaos.runtime.stage import Stage
from ops.chaos.runtime.traffic import Traffic
from ops.chaos.runtime.waiting import wait_until
from ops.stack.places import LOOPBACK, free_ports
from schemas.topics import ANALYZED

UNMOVED_SECONDS = 3.0
"""How long nothing may begin or end though work waits, while only commits are in trouble."""


def broker_restart(stage: Stage) -> Run:
    """kill -9 of the broker under load, and a new start some seconds later: nothing is lost, every result is published,
    and work goes on by itself.
    """
    broker = stage.broker()
    topics, load = stage.topics(broker.bootstrap), int(stage.size(300, 2_000))

    with Traffic(topics, 150, lambda number: Order(number, "sleep 0.2", publish=True)):
        stage.worker(topics, {"slots": 100}).wait_ready()
        stage.until_ended(stage.ended() + load, seconds=120)
        broker.kill()
        killed = time.monotonic()
        time.sleep(stage.size(2, 15))
        broker.start()
        back = time.monotonic()
        stage.until_ended(stage.ended() + load, seconds=120)
    stage.until_committed()
    run = stage.run(topics, faults=[killed])
    results = Counter(message.key() for message in topics.read(ANALYZED))
    missing = {one.key for one in topics.sent} - results.keys()
    first = min((line.at for line in stage.journal.lines() if line.event == "start" and line.at > back), default=back)
    run.more |= {
        "outage_seconds": round(back - killed, 1),
        "resumed_after_seconds": round(first - back, 1),
        "results_missing": len(missing),
        "results_doubled": sum(results.values()) - len(results),
    }
    run.promise("every result is published", not missing)
    run.promise("finished work is run again at most from the last second", run.figures.finished_old == 0)
    return run


def commits_fail(stage: Stage) -> Run:
    """The broker refuses every commit for a while, and nothing else: work goes on without a pause, nothing is lost or
    run again, and the commits are made up for. First its coordinator is not available, then it is loading.
    """
    outage = stage.size(8, 30)
    with Proxy() as proxy:
        broker = stage.broker({"advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{proxy.port}"})
        proxy.target = broker.bootstrap
        topics, (port,) = stage.topics(broker.bootstrap), free_ports(1)
        with Traffic(topics, 150, lambda number: Order(number, "sleep 0.2")):
            stage.worker(topics, {"slots": 100, "health_port": port}).wait_ready()
            stage.until_ended(300)
            wait_until("a commit is taken", topics.commits, 30)
            proxy.error = COORDINATOR_NOT_AVAILABLE
            began = time.monotonic()
            time.sleep(min(1.0, outage / 8))
            before = topics.commits()
            time.sleep(outage / 2)
            proxy.error = COORDINATOR_LOAD_IN_PROGRESS
            time.sleep(max(0.0, began + outage - time.monotonic()))
            during = topics.commits()
            failures = metric(port, "leadbus_commit_failures_total")
            rebalances = metric(port, "leadbus_rebalances_total")
            proxy.error = None
            ended = time.monotonic()
            caught_up = wait_until("commits are taken again", lambda: topics.commits() != during, 60) - ended
            time.sleep(2)
        stage.until_committed(60)
        run = stage.run(topics, faults=[began], since=began, until=ended)
    run.more |= {
        "outage_seconds": round(ended - began, 1),
        "commits_refused": proxy.refused,
        "commit_failures": failures,
        "rebalances": rebalances,
        "caught_up_after_seconds": round(caught_up, 1),
    }
    run.promise("no commit was taken meanwhile", proxy.refused > 0 and during == before)
    run.promise("nothing is run again", run.figures.finished_rerun + run.figures.in_flight_rerun == 0)
    run.promise("work goes on without a pause", run.figures.stall_seconds < UNMOVED_SECONDS)
    return run
