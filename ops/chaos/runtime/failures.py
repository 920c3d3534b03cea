"""Scenarios: records that cannot be read or take very long, and a dead-letter topic that is not there."""

import time
from collections import Counter

from ops.chaos.runtime.evidence import dead_letters, metric
from ops.chaos.runtime.records import PARTITIONS, Headers, Order, document_of, headers_of
from ops.chaos.runtime.report import Run
from ops.chaos.runtime.stage import Stage
from ops.chaos.runtime.waiting import wait_until
from ops.stack.places import free_ports
from schemas import codec
from schemas.headers import TENANT
from schemas.topics import DEAD_LETTERS

NO_LIMITS = {"probation_records": 0, "dead_letter_limit": 100_000}
"""The limits on dead letters are another matter: here every one is to be written."""

POISON = ("not_json", "schema", "header_missing", "null_value")
"""The kinds, by the reason that their dead letters must give."""


def long_handler(stage: Stage) -> Run:
    """Handlers that take several times the client's max.poll.interval, with every window full so that nothing can be
    read meanwhile: the member stays in its group, and nothing is run again.
    """
    poll, longest = 2_000, stage.size(8, 40)
    topics, (port,) = stage.topics(), free_ports(1)
    topics.produce(Order(number, f"sleep {longest:g}") for number in range(16))
    settings = {"slots": 16, "window": 4, "health_port": port, "max_poll_interval_ms": poll}
    stage.worker(topics, settings).wait_ready()
    before = metric(port, "leadbus_rebalances_total")
    time.sleep(longest * 0.75)
    members = topics.members()
    stage.until_committed(longest + 60)
    topics.produce(Order(number) for number in range(16, 216))
    stage.until_committed()
    rebalances = metric(port, "leadbus_rebalances_total") - before
    run = stage.run(topics)
    run.more |= {"max_poll_seconds": poll / 1_000, "handler_seconds": longest, "rebalances": rebalances}
    run.promise("the member stays in its group", rebalances == 0 and members == 1)
    run.promise("nothing is run again", run.figures.finished_rerun + run.figures.in_flight_rerun == 0)
    return run


def poison(stage: Stage) -> Run:
    """Records of four kinds that cannot be read, mixed into traffic: each becomes one dead letter that says why, its
    neighbours are handled once, and no partition waits.
    """
    each, good = int(stage.size(5, 50)), int(stage.size(400, 4_000))
    topics = stage.topics()
    kinds: dict[int, str] = {}
    for index in range(each):
        topics.produce(
            Order(number, "sleep 0.05") for number in range(index * good // each, (index + 1) * good // each)
        )
        for kind in POISON:
            number = 1_000_000 + len(kinds)
            value, headers = _poisoned(kind, number)
            topics.produce_raw(number, f"poison-{number}".encode(), value, headers, partition=number % PARTITIONS)
            kinds[number] = kind
        topics.flush()
    stage.worker(topics, {**NO_LIMITS, "slots": 50}).wait_ready()
    stage.until_committed()
    run = stage.run(topics, without=kinds.keys())
    letters = Counter(dead_letters(topics))
    run.more |= {"poison": len(kinds), "dead_letters": sum(letters.values())}
    run.promise("each becomes one dead letter that says why", letters == Counter(kinds.items()))
    run.promise("nothing is run again", run.figures.finished_rerun + run.figures.in_flight_rerun == 0)
    return run


def _poisoned(kind: str, number: int) -> tuple[bytes | None, Headers]:
    document = document_of(Order(number))
    value, headers = codec.dumps(document), headers_of(document)
    if kind == "not_json":
        return b"{not json", headers
    if kind == "schema":
        return codec.dumps({**document, "lead": {"name": 7}}), headers
    if kind == "header_missing":
        return value, [(name, b"\xff\xfe" if name == TENANT else text) for name, text in headers]
    return None, headers


def no_dead_letter_topic(stage: Stage) -> Run:
    """The dead-letter topic is not there: the offsets of records that belong there stay open, the alarm is up, every
    other record flows; once the topic is made, the letters are written and the offsets finished.
    """
    bad, good = int(stage.size(3, 20)), int(stage.size(300, 3_000))
    topics, (port,) = stage.topics(without=[DEAD_LETTERS]), free_ports(1)
    topics.produce(Order(number, "permanent", partition=0) for number in range(bad))
    topics.produce(Order(number, "sleep 0.05") for number in range(bad, bad + good))
    settings = {**NO_LIMITS, "slots": 50, "health_port": port, "publish_timeout_ms": 2_000}
    stage.worker(topics, settings).wait_ready()
    stage.until_ended(good)
    wait_until("the alarm is up", lambda: metric(port, "leadbus_stuck_records") == bad, 60)
    time.sleep(stage.size(2, 10))
    held = topics.commits()
    topics.create(DEAD_LETTERS)
    stage.until_committed(60)
    wait_until("the alarm is over", lambda: metric(port, "leadbus_stuck_records") == 0, 10)
    run = stage.run(topics)
    letters = dict(Counter(number for number, _ in dead_letters(topics)))
    run.more |= {"dead_letters": sum(letters.values())}
    run.promise("their offsets stay open", held.get(0, (0, ""))[0] == 0)
    run.promise("other partitions are committed", all(held[p][0] > 0 for p in range(1, PARTITIONS)))
    run.promise("each letter is written once", letters == dict.fromkeys(range(bad), 1))
    run.promise("nothing is run again", run.figures.finished_rerun + run.figures.in_flight_rerun == 0)
    return run
