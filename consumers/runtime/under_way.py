"""All that waits and runs, wherever: in the lanes, on its way to somewhere else, put aside."""

import asyncio
from collections.abc import Callable, Sequence

from consumers.runtime.aside import Aside
from consumers.runtime.lanes import Lanes
from consumers.runtime.owned import Owned

Unwanted = Callable[[Owned], bool]


class UnderWay:
    """What a rebalance and a drain have to do with."""

    def __init__(self, lanes: Sequence[Lanes[Owned]], aside: Aside[Owned]) -> None:
        self._lanes = lanes
        self._aside = aside

    @property
    def running(self) -> int:
        """Records being worked on or moved; what is aside may take for ever."""
        return sum(lanes.running for lanes in self._lanes)

    def hold(self) -> None:
        """Begin nothing, until `release`."""
        for lanes in self._lanes:
            lanes.hold()

    def release(self) -> None:
        """Begin again."""
        for lanes in self._lanes:
            lanes.release()

    def drop_waiting(self, unwanted: Unwanted) -> int:
        """Forget what has not been started; returns how many records that were."""
        return sum(lanes.drop_waiting(unwanted) for lanes in self._lanes)

    async def join(self, seconds: float) -> None:
        """Wait until nothing waits or runs, or `seconds` have passed."""
        await asyncio.gather(*(lanes.join(seconds) for lanes in self._lanes))

    async def cancel(self, unwanted: Unwanted) -> int:
        """End what is unwanted; returns how many records were worked on, once that has ended."""
        ended = [await lanes.cancel(unwanted) for lanes in self._lanes]
        return sum(ended) + await self._aside.cancel(unwanted)
