"""(a) A handler that does nothing: what the runtime itself costs, and how long a record waits for its handler.

Every contestant reads the same 500-byte records from 4 partitions, from the first handled to the last handled and
committed. Like is compared with like: a handler that looks into no record beside the bare `getmany` loop, and one with
its document decoded and validated, as all daemons of ours are, beside the loop that decodes and validates the same.
"""

from collections.abc import Sequence
from itertools import cycle

from ops.bench.broker import PARTITIONS, Broker
from ops.bench.contest import Answer, Contestant, ask, contest, cpu_per_record, fresh_name, ours, peer, rates, values
from ops.bench.peers.venvs import Peer, peer_python
from ops.bench.plan import Sizes, Tell
from ops.bench.records import fill, rows
from ops.bench.report import Result, compare
from ops.bench.trickle import Trickle

TOPIC = "measured"
GOAL = 0.6

NOOP, TYPED, RAW = "leadbus, records unread", "leadbus, typed documents", "leadbus, raw records"
BARE, BARE_TYPED = "bare aiokafka getmany loop", "bare loop with JSON and pydantic"
ACK, ACK_FIRST = "FastStream, AckPolicy.ACK", "FastStream, AckPolicy.ACK_FIRST (may lose)"
QUIX, QUIX_JSON = "quixstreams, bytes", "quixstreams, JSON"

RATE = "no-op handler"
DELAY = "from the topic to the handler"


PEERS: tuple[Peer, ...] = ("faststream", "quixstreams")


def turns(sizes: Sizes) -> int:
    """How often `measure` tells."""
    return 13 * sizes.runs


def measure(broker: Broker, sizes: Sizes, tell: Tell) -> list[Result]:
    """All rows of (a)."""
    records = min(sizes.noop_records, broker.largest or sizes.noop_records)
    broker.create([(TOPIC, PARTITIONS)])
    fill(broker.bootstrap, TOPIC, rows(records))
    order = {
        "bootstrap": broker.bootstrap,
        "topic": TOPIC,
        "records": records,
        "max_seconds": sizes.noop_seconds,
        "slots": sizes.slots,
    }
    found = contest(_contestants(sizes), order, runs=sizes.runs, on_turn=tell)
    return [*_rates(found), *_costs(found), *_timed(broker, sizes, tell)]


def _contestants(sizes: Sizes) -> Sequence[Contestant]:
    aio, quix = peer_python("faststream"), peer_python("quixstreams")
    slow = {"max_seconds": sizes.slow_seconds}
    return (
        ours(NOOP, handler="noop"),
        peer(BARE, aio, "run_aiokafka.py"),
        ours(RAW, handler="raw"),
        ours(TYPED, handler="typed"),
        peer(BARE_TYPED, aio, "run_aiokafka.py", decode="typed"),
        peer(ACK, aio, "run_faststream.py", policy="ACK", **slow),
        peer(ACK_FIRST, aio, "run_faststream.py", policy="ACK_FIRST", **slow),
        peer(QUIX, quix, "run_quixstreams.py"),
        peer(QUIX_JSON, quix, "run_quixstreams.py", decode="json"),
    )


def _rates(found: dict[str, list[Answer]]) -> list[Result]:
    def row_of(mine: str, theirs: str, note: str, goal: float | None = None) -> Result:
        return compare(
            f"{RATE}: {mine.removeprefix('leadbus, ')}",
            "records/s",
            rates(found[mine]),
            theirs,
            rates(found[theirs]),
            goal=goal,
            note=note,
        )

    return [
        row_of(NOOP, BARE, "the headline: neither looks into the value", GOAL),
        row_of(TYPED, BARE_TYPED, "both decode (orjson) and validate (pydantic) the same document", GOAL),
        row_of(TYPED, BARE, "the loop looks into no record, ours decodes and validates each"),
        row_of(RAW, BARE, "slots, ledger and commits alone: neither looks into the value"),
        row_of(TYPED, ACK, "FastStream decodes and validates; a commit a record"),
        row_of(TYPED, ACK_FIRST, "FastStream decodes and validates; a commit in five seconds, may lose"),
        row_of(TYPED, QUIX, "quixstreams hands bytes over; its last commit is not counted"),
        row_of(TYPED, QUIX_JSON, "quixstreams decodes JSON, validates nothing; its last commit is not counted"),
    ]


def _costs(found: dict[str, list[Answer]]) -> list[Result]:
    mine = found[TYPED]
    cpu = [
        compare(
            f"{RATE}: CPU, {ours_name.removeprefix('leadbus, ')}",
            "µs/record",
            cpu_per_record(found[ours_name]),
            name,
            cpu_per_record(found[name]),
            better="lower",
            note="what a busy machine changes least",
        )
        for ours_name, name in ((NOOP, BARE), (TYPED, BARE_TYPED), (RAW, BARE), (TYPED, ACK_FIRST), (TYPED, QUIX_JSON))
    ]
    memory = compare(
        f"{RATE}: peak memory",
        "MiB",
        values(mine, "rss_peak_mib"),
        BARE_TYPED,
        values(found[BARE_TYPED], "rss_peak_mib"),
        better="lower",
    )
    return [*cpu, memory]


def _timed(broker: Broker, sizes: Sizes, tell: Tell) -> list[Result]:
    """Delays at a steady rate far below what anybody can do."""
    aio = peer_python("faststream")
    contestants = (
        ours(TYPED, handler="typed"),
        peer(BARE_TYPED, aio, "run_aiokafka.py", decode="typed"),
        peer(ACK, aio, "run_faststream.py", policy="ACK"),
        peer(QUIX_JSON, peer_python("quixstreams"), "run_quixstreams.py", decode="json"),
    )
    samples = list(rows(1_000))
    found: dict[str, list[Answer]] = {contestant.name: [] for contestant in contestants}
    for turn in range(1, sizes.runs + 1):
        for contestant in contestants:
            tell(f"at {sizes.timed_a_second} records/s: {contestant.name} ({turn} of {sizes.runs})")
            topic = fresh_name("timed")
            broker.create([(topic, PARTITIONS)])
            order = {
                "bootstrap": broker.bootstrap,
                "topic": topic,
                "group": fresh_name("bench"),
                "records": sizes.timed_records,
                "max_seconds": 4.0 * sizes.timed_records / sizes.timed_a_second,
                "slots": sizes.slots,
                "timed": True,
            }
            with Trickle(broker.bootstrap, topic, cycle(samples), sizes.timed_a_second):
                found[contestant.name].append(ask(contestant, {**order, **contestant.order}))
    return [
        compare(
            f"{DELAY}: p{share} at {sizes.timed_a_second} records/s",
            "ms",
            [1000 * value for value in values(found[TYPED], f"delay_p{share}")],
            name,
            [1000 * value for value in values(found[name], f"delay_p{share}")],
            better="lower",
            note="from the producer's stamp to the handler, warm",
        )
        for share in (50, 99)
        for name in (BARE_TYPED, ACK, QUIX_JSON)
    ]
