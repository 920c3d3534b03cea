"""Runs work on one SQLite file: a writer thread that commits in groups, and reader threads. The loop never waits.

Promises:
- Work is a transaction of its own: savepoints inside one BEGIN IMMEDIATE that all queued calls share, so that one fsync
  serves them all. A call is answered only after the commit; when that fails, all of its group fail.
- Several processes use the file at once. They take turns (`turn.py`): SQLite's own busy handler sleeps, and lets some
  wait a hundred times longer than others (8 processes writing: 79 ms at the 99th percentile, 4 ms with turns).
- WAL with synchronous=FULL: what was answered survives a power cut. Reads see every commit that was answered.

Fails with `Unavailable` when the file cannot be opened, is locked by a stranger, or the engine was closed.
"""

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from connectors.store.seam import StoreError, Unavailable
from connectors.store.sqlite.errors import translated
from connectors.store.sqlite.transaction import Transaction
from connectors.store.sqlite.turn import Turn

T = TypeVar("T")

GROUP: Final = 64
"""Pieces of work after which no further call joins a commit."""
READERS: Final = 2
BUSY_SECONDS: Final = 10.0
WAIT_SECONDS: Final = 30.0
"""How long a write may wait for its turn and its commit."""


Work = Callable[[Transaction], T]


@dataclass(frozen=True, slots=True)
class _Result:
    value: Any = None
    problem: Exception | None = None


@dataclass(slots=True)
class _Job:
    """A call: pieces of work, each for a tenant and with a savepoint and a result of its own."""

    works: Sequence[tuple[str | None, Work[Any]]]
    answer: Future[Sequence[_Result]] = field(default_factory=Future)


class Engine:
    """One file. Nothing is opened before the first call."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._writer: threading.Thread | None = None
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._closed = False

    async def write(self, tenant_id: str | None, work: Callable[[Transaction], T]) -> T:
        """The result of `work`, committed; what it raises, with nothing of it written."""
        [result] = await self._written([(tenant_id, work)])
        if result.problem is not None:
            raise result.problem
        value: T = result.value
        return value

    async def write_each(self, works: Sequence[tuple[str | None, Work[T]]]) -> Sequence[T | StoreError]:
        """Results of several pieces of work, committed together, in order; for one that failed its error.

        `Unavailable`, and what is no StoreError, is raised for all of them.
        """
        results = await self._written(works) if works else []
        for result in results:
            if isinstance(result.problem, Unavailable) or not isinstance(result.problem, StoreError | None):
                raise result.problem
        return [result.problem if isinstance(result.problem, StoreError) else result.value for result in results]

    async def _written(self, works: Sequence[tuple[str | None, Work[Any]]]) -> Sequence[_Result]:
        job = _Job(works)
        with self._lock:
            if self._closed:
                raise Unavailable("the store is closed")
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_all, name="store-write", daemon=True)
                self._writer.start()
            self._jobs.put(job)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(job.answer), WAIT_SECONDS)
        except TimeoutError:
            raise Unavailable(f"no turn to write for {WAIT_SECONDS:.0f} s: another process holds the file") from None

    async def read(self, tenant_id: str | None, work: Callable[[Transaction], T]) -> T:
        """The result of `work`, on a consistent view of the file."""
        with self._lock:
            if self._closed:
                raise Unavailable("the store is closed")
            reading = asyncio.get_running_loop().run_in_executor(self._readers, self._read, tenant_id, work)
        return await reading

    async def close(self) -> None:
        """Finish what is queued and let the file go."""
        with self._lock:
            already, self._closed = self._closed, True
            writer = self._writer
            if not already:
                self._jobs.put(None)
        if writer is not None:
            await asyncio.to_thread(writer.join)
        await asyncio.to_thread(self._readers.shutdown)
        while self._opened:
            self._opened.pop().close()

    # threads -------------------------------------------------------------------------------------------------------
    def _read(self, tenant_id: str | None, work: Callable[[Transaction], T]) -> T:
        try:
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = self._connect(writing=False)
            connection.execute("BEGIN")
            try:
                return work(Transaction(connection, tenant_id))
            finally:
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise translated(error) from None

    def _write_all(self) -> None:
        turn = Turn(self._path)
        connection: sqlite3.Connection | None = None
        while (job := self._jobs.get()) is not None:
            group = [each for each in self._queued_with(job) if each.answer.set_running_or_notify_cancel()]
            try:
                with turn.taken():
                    connection = connection or self._connect(writing=True)
                    answers = _committed(connection, group)
            except OSError as error:
                _fail(group, Unavailable(f"the store's folder cannot be used: {error.strerror}"))
            except sqlite3.Error as error:
                _fail(group, translated(error))
            else:
                for each, results in zip(group, answers, strict=True):
                    each.answer.set_result(results)
        turn.close()

    def _queued_with(self, job: _Job) -> list[_Job]:
        group, size = [job], len(job.works)
        with contextlib.suppress(queue.Empty):
            while size < GROUP:
                following = self._jobs.get_nowait()
                if following is None:
                    self._jobs.put(None)
                    break
                group.append(following)
                size += len(following.works)
        return group

    def _connect(self, *, writing: bool) -> sqlite3.Connection:
        if writing:  # made for this user alone: it holds personal data
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        uri = f"{self._path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False, cached_statements=256
        )
        connection.row_factory = sqlite3.Row
        if writing:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        else:
            connection.execute("PRAGMA query_only = ON")
        with self._lock:
            self._opened.append(connection)
        return connection


def _committed(connection: sqlite3.Connection, group: Sequence[_Job]) -> Sequence[Sequence[_Result]]:
    """Run a group in one transaction; the results of its jobs, to be given now that they are durable."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        answers = [[_run(connection, *work) for work in job.works] for job in group]
        connection.execute("COMMIT")
    except sqlite3.Error:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return answers


def _run(connection: sqlite3.Connection, tenant_id: str | None, work: Work[Any]) -> _Result:
    connection.execute("SAVEPOINT call")
    try:
        result = work(Transaction(connection, tenant_id))
    except Exception as error:  # noqa: BLE001 - it is the caller's
        # SQLite itself gives up a transaction when the disk is full or broken; this fails then, and with it the group.
        connection.execute("ROLLBACK TO call")
        connection.execute("RELEASE call")
        return _Result(problem=translated(error) if isinstance(error, sqlite3.Error) else error)
    connection.execute("RELEASE call")
    return _Result(result)


def _fail(group: Sequence[_Job], problem: Exception) -> None:
    for job in group:
        job.answer.set_exception(problem)
