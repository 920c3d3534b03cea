"""(d) The rules daemon's whole path: from `analyzed` to `decided`, with the example tenants' rules and a real store.

`leadbus consumer routing` runs as a process; leads are published all at once, and it counts how many a second are
decided. The peer is a loop that publishes the same documents as they are, so the ratio says what rules and store cost.
Then leads come at a steady rate, and it is measured how long each takes. The store is SQLite, and Spanner's emulator
where its binary is there: the emulator runs one transaction at a time, so its figures are no figures of Spanner.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ops.bench.broker import Broker
from ops.bench.contest import Answer, ask, fresh_name, peer, rates
from ops.bench.house import RoutingHouse
from ops.bench.leads import analyzed_rows, fixtures
from ops.bench.peers.measuring import percentile
from ops.bench.peers.venvs import Peer, peer_python
from ops.bench.plan import Sizes, Tell
from ops.bench.report import Result, compare
from ops.stack.spanner_emulator import SpannerEmulator, why_not
from schemas import topics

BARE = "bare loop: consume, publish, commit"
COPIED = "copied"
SQLITE, SPANNER = "SQLite", "Spanner emulator"


def stores() -> tuple[str, ...]:
    """The stores of this machine."""
    return (SQLITE,) if why_not() else (SQLITE, SPANNER)


PEERS: tuple[Peer, ...] = ("faststream",)


def turns(sizes: Sizes) -> int:
    """How often `measure` tells."""
    return len(stores()) * (2 * sizes.runs + 1)


def measure(broker: Broker, sizes: Sizes, tell: Tell) -> list[Result]:
    """All rows of (d)."""
    rows = []
    for store in stores():
        with _opened(store) as (folder, url):
            rows += asyncio.run(_measure(broker, sizes, tell, store, folder, url))
    return rows


@contextlib.contextmanager
def _opened(store: str) -> Iterator[tuple[Path, str]]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leadbus-bench-")))
        if store == SQLITE:
            yield folder, f"sqlite:///{folder / 'leadbus.db'}"
        else:
            yield folder, f"spanner://leadbus/bench/leads?emulator={stack.enter_context(SpannerEmulator())}"


async def _measure(broker: Broker, sizes: Sizes, tell: Tell, store: str, folder: Path, url: str) -> list[Result]:
    prefix = f"bench.{store.split()[0].lower()}."
    broker.create([*((prefix + topic.name, topic.partitions) for topic in topics.table()), (prefix + COPIED, 12)])
    samples, leads, copied, cpu = fixtures(), [], [], []
    python = peer_python("faststream")
    async with RoutingHouse(folder, broker, url, prefix) as house:
        for turn in range(1, sizes.runs + 1):
            tell(f"rules daemon on {store} ({turn} of {sizes.runs})")
            before = house.cpu_seconds()
            leads.append(house.send(list(analyzed_rows(sizes.leads, f"run-{turn}", samples))))
            after = house.cpu_seconds()
            if before is not None and after is not None:
                cpu.append(1000 * (after - before) / sizes.leads)
            tell(f"{BARE} ({turn} of {sizes.runs})")
            copied.append(_copy(broker, sizes, python, prefix))
        tell(f"rules daemon on {store}, {sizes.paced_a_second:g} leads a second")
        paced = house.send(
            list(analyzed_rows(sizes.paced_leads, "paced", samples)), a_second=sizes.paced_a_second
        ).latencies
    what = f"rules daemon on {store}"
    rows = [
        compare(
            f"{what}: consume to decided",
            "leads/s",
            [way.rate for way in leads],
            BARE,
            rates(copied),
            note="the loop publishes the same documents; the difference is rules, store and the following orders",
        )
    ]
    if cpu:
        rows.append(compare(f"{what}: CPU of the daemon", "ms/lead", cpu, better="lower"))
    return rows + [
        compare(
            f"{what}: p{round(100 * share)} from analyzed to decided at {sizes.paced_a_second:g} leads/s",
            "ms",
            [1000 * percentile(paced, share)],
            better="lower",
        )
        for share in (0.5, 0.99)
    ]


def _copy(broker: Broker, sizes: Sizes, python: Path, prefix: str) -> Answer:
    contestant = peer(BARE, python, "run_aiokafka.py")
    return ask(
        contestant,
        {
            "bootstrap": broker.bootstrap,
            "topic": prefix + topics.ANALYZED,
            "publish_to": prefix + COPIED,
            "group": fresh_name("bench"),
            "records": sizes.leads,
            "max_seconds": 20.0,
        },
    )
