"""`leadbus bench runtime`: the daemons' runtime beside the libraries that do the same work.

    a   a handler that does nothing          aiokafka's bare loop, FastStream, quixstreams
    b   handlers that wait                   sentry-arroyo
    c   one key has most of the records      ours without it, quixstreams
    d   the rules daemon's whole path        a loop that copies

Everything runs on one broker, which the call starts and ends. Figures are measured, never judged by a test.
"""

from collections.abc import Collection
from typing import Protocol

from rich.console import Console

from ops.bench import hot_key, noop, rules_path, waiting
from ops.bench.broker import Broker, measured_broker
from ops.bench.peers.venvs import Peer, peer_python
from ops.bench.plan import Sizes, Tell
from ops.bench.progress import progress
from ops.bench.records import VALUE_BYTES
from ops.bench.report import Report, Result, this_machine


class PartModule(Protocol):
    """What a part's module has."""

    PEERS: tuple[Peer, ...]

    def turns(self, sizes: Sizes) -> int:
        """How often `measure` tells."""
        ...

    def measure(self, broker: Broker, sizes: Sizes, tell: Tell) -> list[Result]:
        """Its rows."""
        ...


PARTS: dict[str, PartModule] = {"a": noop, "b": waiting, "c": hot_key, "d": rules_path}


def run_runtime(
    console: Console, sizes: Sizes, *, only: Collection[str] = tuple(PARTS), embedded: bool = False
) -> Report:
    """Measure the parts named in `only`. Raises StackError when the broker or a peer cannot be had or fails."""
    report = Report("runtime", this_machine())
    parts = [PARTS[name] for name in sorted(only)]
    with progress(console, sum(part.turns(sizes) for part in parts)) as tell:
        for name in sorted({peer for part in parts for peer in part.PEERS}):
            tell.note(f"installing {name}, once")
            peer_python(name)
        tell.note("starting the broker")
        with measured_broker(embedded=embedded) as broker:
            report.machine["broker"] = broker.description
            report.machine["records"] = f"{VALUE_BYTES} bytes (JSON of a document) and 6 headers; 4 partitions"
            for part in parts:
                report.results += part.measure(broker, sizes, tell)
    return report
