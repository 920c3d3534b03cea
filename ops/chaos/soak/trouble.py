"""Carries the schedule out: signals to the parts, misbehaviour to the vendors.

Disturbances overlap when the schedule says so. `run` returns when the last one has brought back what it took away; when
it is cancelled, frozen processes are woken first. The vendors' remaining faults are cleared at the end.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp

from ops.chaos.soak.parts import Parts
from ops.chaos.soak.schedule import Disturbance, Misbehaviour


class Trouble:
    """One run's trouble."""

    def __init__(
        self,
        parts: Parts,
        control_url: str,
        disturbances: Sequence[Disturbance],
        misbehaviours: Sequence[Misbehaviour],
        note: Callable[[str, Any], None],
    ) -> None:
        self._parts = parts
        self._control = control_url
        self._disturbances = disturbances
        self._misbehaviours = misbehaviours
        self._note = note
        self.faults: Counter[str] = Counter()

    async def run(self) -> None:
        """From the first disturbance to the last one's end."""
        async with aiohttp.ClientSession() as session:
            async with asyncio.TaskGroup() as group:
                for disturbance in self._disturbances:
                    group.create_task(self._disturb(disturbance))
                for misbehaviour in self._misbehaviours:
                    group.create_task(self._misbehave(session, misbehaviour))
            (await session.delete(f"{self._control}/faults")).raise_for_status()

    async def _disturb(self, disturbance: Disturbance) -> None:
        await asyncio.sleep(disturbance.at)
        await self._parts.disturb(disturbance)

    async def _misbehave(self, session: aiohttp.ClientSession, misbehaviour: Misbehaviour) -> None:
        await asyncio.sleep(misbehaviour.at)
        fault = misbehaviour.fault
        (await session.post(f"{self._control}/faults", json=fault)).raise_for_status()
        self.faults[f"{fault['vendor']} {fault['kind']}"] += fault["times"]
        self._note("vendor", fault)
