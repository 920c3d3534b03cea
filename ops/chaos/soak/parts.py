"""The house's parts under signals, and the supervisor that starts them again, as a platform would.

A part that was killed comes back after the pause that the schedule names. One that ends by itself is started again
with a growing pause and noted: while the broker is away a daemon may end with exit code 3 (nobody could start), at any
other time its end is a finding. Nothing here waits for readiness but `not_ready`.
"""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ops.chaos.soak.schedule import BROKER, Disturbance, Way
from ops.stack.errors import PartFailed, StackError
from ops.stack.guard import signal_group
from ops.stack.house import House
from ops.stack.kafka import RealKafka
from ops.stack.places import LOOPBACK, free_ports
from ops.stack.processes import ProcessExit, ProcessSpec
from ops.stack.readiness import HttpReady

GATEWAY = "gateway"
TERM_SECONDS = 25.0
"""For a part to stop: more than the daemons' own grace time."""
BROKER_EXCUSE_SECONDS = 20.0
"""After the broker's return, how long a daemon's end may still be the broker's doing."""
LONGEST_PAUSE_SECONDS = 10.0
ENVIRONMENT = 3
STOPPED = (0, -signal.SIGTERM)
"""After SIGTERM; the signal itself ends a part that is still loading and does not listen for it yet."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that nobody killed."""

    part: str
    code: int
    broker_away: bool
    last_line: str

    @property
    def excused(self) -> bool:
        """Whether a daemon may end so: it could not start, or not go on, for want of a broker."""
        return self.broker_away and self.code == ENVIRONMENT

    def __str__(self) -> str:
        return f"{self.part} ended by itself with code {self.code}: {self.last_line}"


class Parts:
    """Gateway, daemons (some of them twice) and broker of a started house."""

    def __init__(
        self, house: House, broker: RealKafka, replicas: Mapping[str, str], note: Callable[[str, Any], None]
    ) -> None:
        """`replicas` names further processes of a daemon; `note` is told of everything that happens, by kind."""
        self._house = house
        self._broker = broker
        self._replicas = dict(replicas)
        self._ports = dict(zip(self._replicas, free_ports(len(self._replicas)), strict=True))
        self._note = note
        self._held: set[str] = set()
        self._armed: dict[str, str] = {}
        self._pause: dict[str, float] = {}
        self._started: dict[str, float] = {}
        self._broker_excused_until = 0.0
        self._broker_down = False
        self._restarts: set[asyncio.Task[None]] = set()
        self.daemons = (*house.plan.daemons, *self._replicas)
        self.names = (GATEWAY, *self.daemons, BROKER)
        self.kills: Counter[str] = Counter()
        self.ways: Counter[str] = Counter()
        self.ended: list[Ended] = []
        self.slow_stops: list[str] = []

    async def start_replicas(self) -> None:
        """Start what the house itself does not have, and wait until it is ready."""
        await self._house.supervisor.start_all(self._spec(name) for name in self._replicas)

    async def disturb(self, disturbance: Disturbance) -> None:
        """Carry it out, and bring back what it took away."""
        free = [part for part in disturbance.parts if part not in self._held]
        self._held.update(free)
        await asyncio.gather(*(self._disturb_one(part, disturbance) for part in free))

    async def supervise(self) -> None:
        """Start again what ends by itself, until cancelled."""
        while True:
            await asyncio.sleep(0.1)
            for part in (GATEWAY, *self.daemons):
                if part not in self._held and part not in self._house.supervisor.running:
                    self._held.add(part)
                    await self._ended_by_itself(part)

    async def close(self) -> None:
        """Start nothing any more."""
        for task in self._restarts:
            task.cancel()
        await asyncio.gather(*self._restarts, return_exceptions=True)

    async def not_ready(self) -> list[str]:
        """Parts that do not say that they are ready."""
        names = (GATEWAY, *self.daemons)
        answers = await asyncio.gather(*(self._ready(name) for name in names))
        away = [name for name, ready in zip(names, answers, strict=True) if not ready]
        return [*away, BROKER] if self._broker_down or not self._broker.running else away

    def url(self, daemon: str) -> str:
        """Where a daemon's health port listens."""
        if daemon in self._ports:
            return f"http://{LOOPBACK}:{self._ports[daemon]}"
        return self._house.health_url(daemon)

    async def _disturb_one(self, part: str, disturbance: Disturbance) -> None:
        self._note(disturbance.way.value, {"part": part, "away": disturbance.away, "failpoint": disturbance.failpoint})
        self.ways[disturbance.way.value] += 1
        if disturbance.way is Way.KILL:
            self.kills[part] += 1
        try:
            if part == BROKER:
                await self._disturb_broker(disturbance)
            elif disturbance.way is Way.FREEZE:
                await self._frozen(self._pid(part), disturbance.away)
            else:
                await self._taken_away(part, disturbance.way)
                await asyncio.sleep(disturbance.away)
                await self._start(part, disturbance.failpoint if part == disturbance.parts[0] else None)
        finally:
            self._held.discard(part)
            self._note("back", {"part": part})

    def _pid(self, part: str) -> int | None:
        return self._house.supervisor.pid(part) if part in self._house.supervisor.running else None

    @staticmethod
    async def _frozen(pid: int | None, seconds: float) -> None:
        if pid is None:
            return
        signal_group(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            signal_group(pid, signal.SIGCONT)

    async def _taken_away(self, part: str, way: Way) -> None:
        supervisor = self._house.supervisor
        if part not in supervisor.running:
            return
        if way is Way.KILL:
            await supervisor.kill(part)
            return
        asked = time.monotonic()
        ended = await supervisor.stop(part, TERM_SECONDS)
        if ended.code == -signal.SIGKILL and part in self._armed and time.monotonic() - asked < TERM_SECONDS:
            self._note("failpoint", {"part": part, "failpoint": self._armed[part]})
            self.ways["failpoint"] += 1
        elif ended.code == -signal.SIGKILL:
            self.slow_stops.append(f"{part} did not stop within {TERM_SECONDS:.0f} s of SIGTERM")
        elif ended.code not in STOPPED:
            self._found(part, ended)

    async def _start(self, part: str, failpoint: str | None = None) -> None:
        spec = self._spec(part)
        env = {**spec.env, "LEADBUS_FAILPOINT": failpoint} if failpoint else spec.env
        self._armed.pop(part, None)
        if failpoint:
            self._armed[part] = failpoint
        self._started[part] = time.monotonic()
        await self._house.supervisor.start(replace(spec, ready=None, env=env))

    async def _ended_by_itself(self, part: str) -> None:
        exits = [each for each in self._house.supervisor.exits if each.name == part]
        if not exits:  # it ended this moment, and its end will be told in the next
            self._held.discard(part)
            return
        if part in self._armed and exits[-1].code == -signal.SIGKILL:
            self._note("failpoint", {"part": part, "failpoint": self._armed[part]})
            self.kills[part] += 1
            self.ways["failpoint"] += 1
            pause = 0.5
        else:
            self._found(part, exits[-1])
            lived = time.monotonic() - self._started.get(part, 0.0)
            self._pause[part] = min(2.0 if lived > 30.0 else self._pause.get(part, 1.0) * 2, LONGEST_PAUSE_SECONDS)
            pause = self._pause[part]
        task = asyncio.create_task(self._start_later(part, pause), name=f"restart {part}")
        self._restarts.add(task)
        task.add_done_callback(self._restarts.discard)

    async def _start_later(self, part: str, pause: float) -> None:
        try:
            await asyncio.sleep(pause)
            await self._start(part)
        finally:
            self._held.discard(part)

    def _found(self, part: str, ended: ProcessExit) -> None:
        away = self._broker_down or time.monotonic() < self._broker_excused_until
        said = next((line for line in reversed(ended.last_lines.splitlines()) if line.strip()), "")
        found = Ended(part, ended.code, away, said[:300])
        self.ended.append(found)
        self._note("ended", {"part": part, "code": ended.code, "broker_away": away, "last_line": said[:300]})

    async def _disturb_broker(self, disturbance: Disturbance) -> None:
        self._broker_down = True
        try:
            if disturbance.way is Way.FREEZE:
                await self._frozen(self._broker.pid, disturbance.away)
                return
            if disturbance.way is Way.TERM:
                signal_group(self._broker.pid, signal.SIGTERM)
                await self._broker_gone(TERM_SECONDS)
            await asyncio.to_thread(self._broker.kill)
            await asyncio.sleep(disturbance.away)
            await self._start_broker()
        finally:
            self._broker_down = False
            self._broker_excused_until = time.monotonic() + BROKER_EXCUSE_SECONDS

    async def _broker_gone(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._broker.running and time.monotonic() < deadline:  # noqa: ASYNC110 - another process: no event
            await asyncio.sleep(0.1)

    async def _start_broker(self) -> None:
        for attempt in range(3):
            try:
                await asyncio.to_thread(self._broker.start)
                return
            except StackError as error:
                self._note("broker", {"attempt": attempt, "error": str(error)[-500:]})
                await asyncio.to_thread(self._broker.kill)
        raise PartFailed(f"the broker did not come up again\n{self._broker.log_tail()}")

    def _spec(self, part: str) -> ProcessSpec:
        if part not in self._replicas:
            return self._house.spec(part, again=True)
        spec = self._house.spec(self._replicas[part], again=True)
        port = self._ports[part]
        return ProcessSpec(
            part,
            spec.argv,
            {**spec.env, "LEADBUS_HEALTH_PORT": str(port)},
            HttpReady(f"http://{LOOPBACK}:{port}/readyz", seconds=60.0),
        )

    async def _ready(self, part: str) -> bool:
        ready = self._spec(part).ready
        if ready is None or part not in self._house.supervisor.running:
            return False
        return await ready.check(self._house.plan.run_dir, 0) is not None
