"""A small supervisor for named child processes: what `demo`, `up` and the end-to-end tests run the house with.

It promises:
- each process writes to `<run_dir>/<name>.log`; a restart appends after a line that says so;
- `start` and `restart` return when the process is ready, and raise PartFailed (with the log's end) when it dies or
  takes too long;
- every end of a process is reported once, as a `ProcessExit` that says whether it was asked for, in `exits`, to
  `on_exit`, and to whoever waits in `unexpected_exit`;
- leaving the `async with` block ends everything, SIGTERM first, SIGKILL after the grace time; so does the death of
  this process itself, by a guard (`ops.stack.guard`).

It never restarts by itself: a process that dies in a demo or a test is a finding. Every process leads a group of its
own, and signals go to the group, so workers that a server forks end with it.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ops.stack.child import tail
from ops.stack.errors import PartFailed
from ops.stack.guard import Guard, signal_group
from ops.stack.readiness import Readiness

POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What to run. `env` is laid over the supervisor's environment; without `ready` a started process is ready."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Readiness | None = None


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """One end of one process. `code` is negative for a signal (-9 is SIGKILL), as in `subprocess`."""

    name: str
    code: int
    asked_for: bool
    last_lines: str

    def __str__(self) -> str:
        how = f"by {signal.Signals(-self.code).name}" if self.code < 0 else f"with code {self.code}"
        return f"{self.name} ended {how}\n{self.last_lines}".rstrip()


class _Running:
    """One run of one process."""

    def __init__(self, spec: ProcessSpec, process: asyncio.subprocess.Process, log: Path, log_start: int) -> None:
        self.spec = spec
        self.process = process
        self.log = log
        self.log_start = log_start
        self.asked_for = False
        self.told: dict[str, Any] = {}
        self.ended: asyncio.Task[ProcessExit] | None = None


class Supervisor:
    """Runs processes by name, within one event loop; use it as an async context manager."""

    def __init__(
        self,
        run_dir: Path,
        *,
        env: Mapping[str, str] | None = None,
        grace_seconds: float = 10.0,
        on_exit: Callable[[ProcessExit], None] | None = None,
    ) -> None:
        """`env` is laid over this process's environment for every child."""
        self.exits: list[ProcessExit] = []
        self._run_dir = run_dir
        self._env = {**os.environ, **(env or {})}
        self._grace_seconds = grace_seconds
        self._on_exit = on_exit
        self._guard = Guard(grace_seconds)
        self._running: dict[str, _Running] = {}
        self._specs: dict[str, ProcessSpec] = {}
        self._unexpected: asyncio.Future[ProcessExit] | None = None

    async def __aenter__(self) -> Self:
        self._run_dir.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A second Ctrl-C cancels this too; what is left then is ended by the guard.
        try:
            await self.stop_all()
        finally:
            await asyncio.shield(asyncio.to_thread(self._guard.close))

    async def start(self, spec: ProcessSpec) -> dict[str, Any]:
        """Start a process and wait until it is ready; returns what its ready line told (empty without one)."""
        if spec.name in self._running:
            raise PartFailed(f"{spec.name} is running already")
        log = self._run_dir / f"{spec.name}.log"
        with log.open("ab") as file:
            if file.tell():
                file.write(f"--- {spec.name} starts again ---\n".encode())
                file.flush()
            log_start = file.tell()
            process = await asyncio.create_subprocess_exec(
                *spec.argv,
                env={**self._env, **spec.env},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        self._guard.watch(process.pid)
        run = _Running(spec, process, log, log_start)
        self._specs[spec.name] = spec
        self._running[spec.name] = run
        run.ended = asyncio.create_task(self._follow(run), name=f"follow {spec.name}")
        run.told = await self._wait_ready(run)
        return run.told

    async def start_all(self, specs: Iterable[ProcessSpec]) -> dict[str, dict[str, Any]]:
        """Start several side by side and wait until all are ready; what each told, by name.

        PartFailed tells of the first that did not come up; the others run on until they are stopped.
        """
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {spec.name: group.create_task(self.start(spec)) for spec in specs}
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return {name: task.result() for name, task in tasks.items()}

    async def stop(self, name: str, grace_seconds: float | None = None) -> ProcessExit:
        """SIGTERM, then SIGKILL after the grace time; returns how it ended."""
        return await self._end(self._find(name), signal.SIGTERM, grace_seconds)

    async def kill(self, name: str) -> ProcessExit:
        """SIGKILL, at once and to the whole group: the crash of a process."""
        return await self._end(self._find(name), signal.SIGKILL, None)

    async def restart(self, name: str) -> dict[str, Any]:
        """Stop it if it still runs, start it with the same spec, wait until it is ready."""
        if name in self._running:
            await self.stop(name)
        if name not in self._specs:
            raise PartFailed(f"{name} was never started")
        return await self.start(self._specs[name])

    async def stop_all(self) -> None:
        """Stop everything side by side, within one grace time."""
        runs = list(self._running.values())
        await asyncio.gather(*(self._end(run, signal.SIGTERM, None) for run in runs))

    async def unexpected_exit(self) -> ProcessExit:
        """Wait until some process ends that nobody stopped or killed; the first one, also when it is long past."""
        for past in self.exits:
            if not past.asked_for:
                return past
        if self._unexpected is None:
            self._unexpected = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._unexpected)

    @property
    def running(self) -> list[str]:
        return list(self._running)

    def pid(self, name: str) -> int:
        return self._find(name).process.pid

    def told(self, name: str) -> dict[str, Any]:
        """What the process told on its ready line."""
        return self._find(name).told

    def tail(self, name: str, lines: int = 20) -> str:
        """The last lines of the log of that name, whether it runs or not."""
        return tail(self._run_dir / f"{name}.log", lines)

    def _find(self, name: str) -> _Running:
        if name not in self._running:
            raise PartFailed(f"{name} is not running (running: {', '.join(self._running) or 'nothing'})")
        return self._running[name]

    async def _wait_ready(self, run: _Running) -> dict[str, Any]:
        if run.spec.ready is None:
            return {}
        name, loop = run.spec.name, asyncio.get_running_loop()
        deadline = loop.time() + run.spec.ready.seconds
        while True:
            if run.ended is not None and run.ended.done():
                raise PartFailed(f"before it was ready, {run.ended.result()}")
            if (told := await run.spec.ready.check(run.log, run.log_start)) is not None:
                return told
            if loop.time() > deadline:
                words = f"{name} was not ready after {run.spec.ready.seconds:.0f} s\n{self.tail(name)}"
                await self._end(run, signal.SIGKILL, None)
                raise PartFailed(words)
            await asyncio.sleep(POLL_SECONDS)

    async def _end(self, run: _Running, number: signal.Signals, grace_seconds: float | None) -> ProcessExit:
        run.asked_for = True
        signal_group(run.process.pid, number)
        if run.ended is None:
            raise PartFailed(f"{run.spec.name} was not started")
        try:
            async with asyncio.timeout(self._grace_seconds if grace_seconds is None else grace_seconds):
                return await asyncio.shield(run.ended)
        except TimeoutError:
            signal_group(run.process.pid, signal.SIGKILL)
            return await asyncio.shield(run.ended)

    async def _follow(self, run: _Running) -> ProcessExit:
        code = await run.process.wait()
        # Workers that outlive their leader would hold its port against the next start.
        signal_group(run.process.pid, signal.SIGKILL)
        self._guard.forget(run.process.pid)
        if self._running.get(run.spec.name) is run:
            del self._running[run.spec.name]
        ended = ProcessExit(run.spec.name, code, run.asked_for, tail(run.log, 15))
        self.exits.append(ended)
        if not ended.asked_for and self._unexpected is not None and not self._unexpected.done():
            self._unexpected.set_result(ended)
        if self._on_exit is not None:
            self._on_exit(ended)
        return ended


def python_module(module: str, *arguments: str) -> list[str]:
    """The argv that runs one of our modules with this very Python."""
    return [sys.executable, "-m", module, *arguments]
