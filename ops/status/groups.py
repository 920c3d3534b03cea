"""Which consumer group reads what: the daemons' own specs with the overflow topics of their topics, and delivery by
connector kinds where it runs so.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schemas.topics import DELIVER, RETRY_TIERS, has_overflow, overflow

GROUP = "leadbus."
DELIVERY = "delivery"


class Reader(NamedTuple):
    """A daemon, its group (without the installation's prefix), and the topics it reads."""

    daemon: str
    group: str
    topics: frozenset[str]


def readers() -> list[Reader]:
    """Every daemon, as `leadbus consumer NAME` runs it."""
    from consumers.specs import offline_specs

    found = [Reader(spec.name, GROUP + spec.name, _with_overflow(spec.topics)) for spec in offline_specs()]
    return [*found, Reader("retry", GROUP + "retry", frozenset(RETRY_TIERS))]


def also_running(known: Sequence[Reader], groups: Iterable[str]) -> list[Reader]:
    """The daemons, and those of `leadbus consumer delivery --kind K` among the cluster's groups.

    Kinds that run by themselves are taken out of the one that would deliver all of them; it is left out altogether
    when nothing remains for it.
    """
    of_kind = {kind.value: topic for kind, topic in DELIVER.items()}
    split = []
    for group in sorted(set(groups)):
        kinds = group.removeprefix(f"{GROUP}{DELIVERY}-").split("-") if group.startswith(f"{GROUP}{DELIVERY}-") else []
        if kinds and all(kind in of_kind for kind in kinds):
            split.append(Reader(group.removeprefix(GROUP), group, _with_overflow(of_kind[kind] for kind in kinds)))
    taken = frozenset[str]().union(*(reader.topics for reader in split))
    rest = [r._replace(topics=r.topics - taken) if r.daemon == DELIVERY else r for r in known]
    return [*(reader for reader in rest if reader.topics), *split]


def _with_overflow(topics: Iterable[str]) -> frozenset[str]:
    """As the runtime reads them: what floods, and what was parked and is released, waits in the overflow topics."""
    named = frozenset(topics)
    return named | {overflow(topic) for topic in named if has_overflow(topic)}
