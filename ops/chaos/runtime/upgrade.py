"""Scenario: a rolling upgrade, with documents of the newer version in flight while older workers still run."""

from typing import Any

from ops.chaos.runtime.evidence import dead_letters
from ops.chaos.runtime.records import Order, document_of
from ops.chaos.runtime.report import Run
from ops.chaos.runtime.stage import Stage
from ops.chaos.runtime.traffic import Traffic
from schemas import codec
from schemas.topics import ANALYZED

FUTURE: dict[str, dict[str, Any]] = {
    "tomorrow": {"kept": [1, 2.5, None]},
    "envelope": {"mode": "hologram"},
    "lead": {"aura": "blue"},
}
"""A section, a value of an enumeration and a field that no version of today knows."""


def rolling_upgrade(stage: Stage) -> Run:
    """Documents of a newer major version arrive while an older worker runs: it parks them instead of dead-lettering
    them, the newer one handles them; fields and values that neither knows go through verbatim; nothing is lost.
    """
    topics, load = stage.topics(), int(stage.size(150, 1_500))

    def order(number: int) -> Order:
        return Order(number, "sleep 0.05", publish=True, version=2 if number % 3 == 0 else 1, more=FUTURE)

    with Traffic(topics, 100, order):
        old = stage.worker(topics, {}, reads=1).wait_ready()
        stage.until_ended(load, old)
        new = stage.worker(topics, {}, reads=2).wait_ready()
        shared = stage.takes_part(new)
        old.ask_to_stop()
        old.wait_stopped(20)
        stage.until_ended(stage.ended(new) + load, new)
    stage.until_committed(60)
    run = stage.run(topics)
    newer = {one.number for one in topics.sent if one.number % 3 == 0}
    parked, ended = stage.parked(topics), set(stage.journal.numbers("end"))
    letters = len(dead_letters(topics))
    results = {message.key(): codec.loads(message.value()) for message in topics.read(ANALYZED)}
    changed = [
        one.number
        for one in topics.sent
        if one.number not in parked and not _carried(document_of(order(one.number)), results.get(one.key))
    ]
    run.more |= {"newer": len(newer), "parked": len(parked), "dead_letters": letters, "changed": len(changed)}
    run.promise("the newer replica takes a share of the work", shared)
    run.promise("the older one parks newer documents, and only those", bool(parked) and parked <= newer)
    run.promise("the newer one handles them", bool(newer & ended))
    run.promise("nothing is dead-lettered", letters == 0)
    run.promise("what nobody knows is carried verbatim", not changed)
    return run


def _carried(sent: dict[str, Any], result: dict[str, Any] | None) -> bool:
    """Whether a result is what was sent, with a section more and without the raw body."""
    if result is None:
        return False
    raw = {name: value for name, value in sent["raw"].items() if name not in ("body", "encoding")}
    return {name: value for name, value in result.items() if name != "analysis"} == {**sent, "raw": raw}
