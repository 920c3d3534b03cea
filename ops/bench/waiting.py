"""(b) Handlers that wait: 2,000 calls of one second on 500 slots, all on the topic before anybody starts.

Ours waits in a coroutine, sentry-arroyo's RunTaskInThreads(500) in a thread, as a vendor's blocking client would. The
k-th start ideally comes `k // 500` seconds after the first: how much later it comes is the delay to start.
"""

from ops.bench.broker import PARTITIONS, Broker
from ops.bench.contest import contest, ours, peer, rates, values
from ops.bench.peers.venvs import Peer, peer_python
from ops.bench.plan import Sizes, Tell
from ops.bench.records import fill, rows
from ops.bench.report import Result, compare

TOPIC = "waiting"
WORK_SECONDS = 1.0
OURS, ARROYO = "leadbus", "sentry-arroyo RunTaskInThreads"


PEERS: tuple[Peer, ...] = ("arroyo",)


def turns(sizes: Sizes) -> int:
    """How often `measure` tells."""
    return 2 * sizes.runs


def measure(broker: Broker, sizes: Sizes, tell: Tell) -> list[Result]:
    """All rows of (b)."""
    broker.create([(TOPIC, PARTITIONS)])
    fill(broker.bootstrap, TOPIC, rows(sizes.slot_records))
    ideal = sizes.slot_records / (-(-sizes.slot_records // sizes.slots) * WORK_SECONDS)
    order = {
        "bootstrap": broker.bootstrap,
        "topic": TOPIC,
        "records": sizes.slot_records,
        "max_seconds": 60.0,
        "slots": sizes.slots,
        "work_seconds": WORK_SECONDS,
    }
    contestants = (ours(OURS, handler="sleep"), peer(ARROYO, peer_python("arroyo"), "run_arroyo.py"))
    found = contest(contestants, order, runs=sizes.runs, on_turn=tell)
    mine, theirs = found[OURS], found[ARROYO]
    what = f"{sizes.slot_records} handlers of {WORK_SECONDS:g} s on {sizes.slots} slots"
    return [
        compare(
            f"{what}: rate",
            "records/s",
            rates(mine),
            ARROYO,
            rates(theirs),
            note=f"at best {ideal:g}; from the first start to the last commit",
        ),
        compare(
            f"{what}: CPU",
            "s",
            values(mine, "cpu_seconds"),
            ARROYO,
            values(theirs, "cpu_seconds"),
            better="lower",
        ),
        compare(
            f"{what}: peak memory",
            "MiB",
            values(mine, "rss_peak_mib"),
            ARROYO,
            values(theirs, "rss_peak_mib"),
            better="lower",
        ),
        *(
            compare(
                f"{what}: p{share} delay to start",
                "ms",
                [1000 * value for value in values(mine, f"delay_p{share}")],
                ARROYO,
                [1000 * value for value in values(theirs, f"delay_p{share}")],
                better="lower",
                note=f"the k-th start, k // {sizes.slots} handlers after the first at best",
            )
            for share in (50, 99)
        ),
    ]
