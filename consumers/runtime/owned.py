"""What a member holds: the open records of a partition, each with the ledger that it was accepted under.

A partition that is lost, or begun anew, gets a new ledger and a new window; records that were accepted under the old
ones keep them, so that their late end changes nothing that counts. That is the fence, and there is no other.
"""

from collections.abc import Hashable
from enum import Enum

from consumers.runtime.client import Arrival, Partition
from consumers.runtime.lanes import Waiting
from consumers.runtime.offsets import Ledger


class Move(Enum):
    """Where a record goes that is not worked on."""

    PARK = "park"
    OVERFLOW = "overflow"


class Share:
    """What one tenant has in a window that was not put elsewhere."""

    __slots__ = ("bytes", "records")

    def __init__(self) -> None:
        self.records = 0
        self.bytes = 0
        """Of keys and values."""


class Window:
    """The open records of one partition, from its placing to its loss."""

    __slots__ = ("bytes", "full", "ledger", "live", "moving", "open", "partition", "shares")

    def __init__(self, partition: Partition, ledger: Ledger) -> None:
        self.partition = partition
        self.ledger = ledger
        self.open: dict[int, Owned] = {}
        """By offset, oldest first."""
        self.bytes = 0
        self.moving = 0
        """How many of them are on their way to somewhere else."""
        self.shares: dict[str, Share] = {}
        """By tenant; without diversion nobody counts them."""
        self.full = False
        """Whether the partition is not read because of what is open."""
        self.live = True
        """Whether this is the partition's present window."""


class Owned(Waiting):
    """An accepted record."""

    __slots__ = ("arrival", "ledger", "move", "offset", "share", "since", "size", "window")

    def __init__(
        self, arrival: Arrival, size: int, window: Window, tenant: str, lane: Hashable, since: float, late: bool
    ) -> None:
        """`since` by the monotonic clock; `late` when it comes from an overflow topic."""
        # Waiting's own, without the call: this is made for every record.
        self.tenant = tenant
        self.lane = lane
        self.late = late
        self.alone = False
        self.arrival = arrival
        self.offset = arrival.offset
        self.size = size
        self.window = window
        self.ledger = window.ledger
        self.since = since
        self.share: Share | None = None
        """What it is counted in, where shares are counted."""
        self.move: Move | None = None
        """Set when it was put on its way to somewhere else."""
