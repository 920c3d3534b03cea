"""(c) One key has 80 % of the records of a daemon that keeps the order of keys, and a handler takes 10 ms.

The hot key runs at 100 records a second, because its records wait for each other. What matters is whether the other
20 % feel it: records come at a steady rate, and ours is measured beside the hot key and without it, in two sizes:

    crowd   the hot key comes faster than it can be worked off, but what waits fits into its partition's window
    flood   what waits of the hot key is more than the window holds, so its partition is paused

In a flood the others are looked at apart: those in other partitions, and those beside the hot key. quixstreams stands
for processing a partition in sequence.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ops.bench.broker import PARTITIONS, Broker
from ops.bench.contest import Answer, Contestant, ask, fresh_name, ours, peer, values
from ops.bench.peers.venvs import Peer, peer_python
from ops.bench.plan import Sizes, Tell
from ops.bench.records import Row, hot_key_rows
from ops.bench.report import Result, compare
from ops.bench.trickle import Trickle

HOT_KEY = "the-hot-key"
HOT_SHARE = 0.8
WORK_SECONDS = 0.01
UNHURT = 0.9
"""The others' rate beside a hot key, as part of their rate without it, from which they are unhurt: runs differ so."""

START_SECONDS = 5.0
"""How much longer than it is measured records come: contestants have to join and to get warm."""
ENDLESS = 1_000_000_000

WITH, WITHOUT = "leadbus beside the hot key", "leadbus without the hot key"
SEQUENCE = "quixstreams beside the hot key"


@dataclass(frozen=True, slots=True)
class Load:
    """Records at a steady rate, measured for `seconds`."""

    name: str
    a_second: int
    seconds: float

    def rows(self, *, hot: bool) -> Iterator[Row]:
        """The records, with or without those of the hot key."""
        records = int(self.a_second * (self.seconds + START_SECONDS))
        mixed = hot_key_rows(records, int(records * HOT_SHARE), HOT_KEY)
        return (each for each in mixed if hot or each[0] != HOT_KEY.encode())


PEERS: tuple[Peer, ...] = ("quixstreams",)


def turns(sizes: Sizes) -> int:
    """How often `measure` tells."""
    return 5 * sizes.runs


def measure(broker: Broker, sizes: Sizes, tell: Tell) -> list[Result]:
    """All rows of (c)."""
    mine = (ours(WITH, handler="keyed"), ours(WITHOUT, handler="keyed"))
    quix = peer(SEQUENCE, peer_python("quixstreams"), "run_quixstreams.py")
    crowd = Load("crowd", sizes.crowd_a_second, sizes.hot_seconds)
    flood = Load("flood", sizes.flood_a_second, sizes.hot_seconds)
    return [
        *_of_crowd(crowd, _answers(broker, sizes, crowd, (*mine, quix), tell)),
        *_of_flood(flood, _answers(broker, sizes, flood, mine, tell)),
    ]


def others_rate(answers: Sequence[Answer], seconds: float, *, beside_the_key: bool | None = None) -> list[float]:
    """Records a second of the other keys: of all partitions, or of those with or without the hot key."""
    return [
        sum(
            count
            for partition, count in answer["others"].items()
            if beside_the_key is None or (partition == str(answer["special_partition"])) is beside_the_key
        )
        / seconds
        for answer in answers
    ]


def _of_crowd(load: Load, found: dict[str, list[Answer]]) -> list[Result]:
    beside, alone, quix = found[WITH], found[WITHOUT], found[SEQUENCE]
    what = f"others beside a hot key of {load.a_second * HOT_SHARE:g} records/s"
    return [
        compare(
            f"{what}: rate",
            "records/s",
            others_rate(beside, load.seconds),
            WITHOUT,
            others_rate(alone, load.seconds),
            goal=UNHURT,
        ),
        *(
            compare(
                f"{what}: p{share} from the topic to the handler",
                "ms",
                [1000 * value for value in values(beside, f"delay_p{share}")],
                WITHOUT,
                [1000 * value for value in values(alone, f"delay_p{share}")],
                better="lower",
            )
            for share in (50, 99)
        ),
        compare(
            f"{what}: rate against sequence",
            "records/s",
            others_rate(beside, load.seconds),
            SEQUENCE,
            [(answer["records"] - answer["special"]) / answer["seconds"] for answer in quix],
            note="quixstreams works on one record at a time",
        ),
    ]


def _of_flood(load: Load, found: dict[str, list[Answer]]) -> list[Result]:
    beside, alone = found[WITH], found[WITHOUT]
    what = f"a flood of {load.a_second * HOT_SHARE:g} records/s of one key"
    quarter = [rate / PARTITIONS for rate in others_rate(alone, load.seconds)]
    return [
        compare(
            f"{what}: others in other partitions",
            "records/s",
            others_rate(beside, load.seconds, beside_the_key=False),
            WITHOUT,
            [rate * (PARTITIONS - 1) for rate in quarter],
            goal=UNHURT,
            note="the peer's value is three quarters of its rate",
        ),
        compare(
            f"{what}: others in its partition",
            "records/s",
            others_rate(beside, load.seconds, beside_the_key=True),
            WITHOUT,
            quarter,
            note="the partition is paused while its window is full; the peer's value is a quarter of its rate",
        ),
    ]


def _answers(
    broker: Broker, sizes: Sizes, load: Load, contestants: Sequence[Contestant], tell: Tell
) -> dict[str, list[Answer]]:
    """Turns of each, every one on a topic of its own that is filled while it runs."""
    found: dict[str, list[Answer]] = {contestant.name: [] for contestant in contestants}
    for turn in range(1, sizes.runs + 1):
        for contestant in contestants:
            tell(f"{load.name}: {contestant.name} ({turn} of {sizes.runs})")
            topic, hot = fresh_name(load.name), contestant.name != WITHOUT
            broker.create([(topic, PARTITIONS)])
            order = {
                "bootstrap": broker.bootstrap,
                "topic": topic,
                "group": fresh_name("bench"),
                "records": ENDLESS,
                "max_seconds": load.seconds,
                "slots": sizes.slots,
                "work_seconds": WORK_SECONDS,
                "special_key": HOT_KEY,
            }
            pace = load.a_second * (1.0 if hot else 1.0 - HOT_SHARE)
            with Trickle(broker.bootstrap, topic, load.rows(hot=hot), pace):
                found[contestant.name].append(ask(contestant, {**order, **contestant.order}))
    return found
