"""Talks to one Spanner database through the async client, which it makes on the first call, on that call's loop.

Promises:
- Work of `write` is one read-write transaction, repeated by the client when Spanner aborts it, so work must be
  repeatable. Whatever ends it otherwise rolls it back: the client leaves the transaction open after a failed call or a
  cancelled task, and the next writer would wait for it.
- Every call ends within `call_seconds`; by itself the client repeats reads against a dead server for ever.
- Against the emulator, writes of this process queue up here, because it runs one transaction at a time and aborts the
  others (50 at once: 2.2 s, queued 0.4 s), and read-write transactions keep off multiplexed sessions, where it fails.

Fails with the errors of the seam only (`errors.py`).
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import AlreadyExists, GoogleAPICallError, RetryError
from google.auth.exceptions import GoogleAuthError

from connectors.store.seam import StoreError, Unavailable
from connectors.store.spanner.catalogue import Query
from connectors.store.spanner.client import AnonymousCredentials, AsyncClient
from connectors.store.spanner.codec import parameters
from connectors.store.spanner.errors import translated
from connectors.store.spanner.transaction import Reading, Transaction

T = TypeVar("T")

CALL_SECONDS: Final = 20.0
SCHEMA_SECONDS: Final = 300.0
ABORTED_DELAY: Final = 0.01
"""Seconds before an aborted transaction is repeated when Spanner does not say; the client's own default is seconds."""
EMULATOR_VARIABLE: Final = "SPANNER_EMULATOR_HOST"
NO_MULTIPLEXED_WRITES: Final = "GOOGLE_CLOUD_SPANNER_MULTIPLEXED_SESSIONS_FOR_RW"


class Engine:
    """One database. Bound to the event loop of its first call."""

    def __init__(
        self, project: str, instance: str, database: str, *, emulator: str | None, create: bool, call_seconds: float
    ) -> None:
        self._project, self._instance_id, self._database_id = project, instance, database
        self._emulator = emulator or os.environ.get(EMULATOR_VARIABLE)
        self._create = create
        self._seconds = call_seconds
        self._connecting = asyncio.Lock()
        self._turn = asyncio.Lock() if self._emulator else None
        self._client: Any = None
        self._database: Any = None
        self._closed = False

    async def write(self, tenant_id: str | None, tag: str, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """The result of `work`, committed; what it raises, with nothing of it written."""

        begun: list[Any] = []

        async def noted(source: Any) -> T:
            begun.append(source)
            return await work(Transaction(source, tenant_id))

        async def run(database: Any) -> T:
            async with self._turn_taken():
                try:
                    result: T = await database.run_in_transaction(
                        noted, timeout_secs=self._seconds, default_retry_delay=ABORTED_DELAY, transaction_tag=tag
                    )
                except BaseException:
                    await _rolled_back(begun)
                    raise
            return result

        return await self._call(run, self._seconds)

    async def read(self, tenant_id: str | None, work: Callable[[Reading], Awaitable[T]]) -> T:
        """The result of one read or query, as strong as the last commit. A second one needs a second call."""

        async def run(database: Any) -> T:
            async with database.snapshot() as snapshot:
                return await work(Reading(snapshot, tenant_id))

        return await self._call(run, self._seconds)

    async def erase(self, tenant_id: str, statements: Sequence[Query]) -> None:
        """Run partitioned statements: each in full, none in a transaction, all repeatable."""
        for statement in statements:
            params, types = parameters(statement, {"tenant_id": tenant_id})

            async def run(database: Any, sql: str = statement.sql, params: Any = params, types: Any = types) -> None:
                async with self._turn_taken():
                    await database.execute_partitioned_dml(sql, params=params, param_types=types)

            await self._call(run, SCHEMA_SECONDS)

    async def change_schema(self, statements: Sequence[str]) -> None:
        """Apply DDL. Raises what Google's client raises: the caller knows which refusals are answers."""
        async with self._turn_taken(), asyncio.timeout(SCHEMA_SECONDS):
            database = await self._connected()
            operation = await database.update_ddl(list(statements))
            await operation.result()

    async def close(self) -> None:
        """Let sessions and channels go; a server that is gone does not keep us."""
        self._closed = True
        database, self._database = self._database, None
        if database is not None:
            with contextlib.suppress(GoogleAPICallError, RetryError, TimeoutError):
                await asyncio.wait_for(database.close(), timeout=2.0)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(database.spanner_api.transport.close(), timeout=2.0)

    # ---------------------------------------------------------------------------------------------------------------
    async def _call(self, run: Callable[[Any], Coroutine[Any, Any, T]], seconds: float) -> T:
        try:
            async with asyncio.timeout(seconds):
                database = await self._connected()
                # A task of its own: the client marks a running transaction in the context and may leave the mark.
                return await asyncio.create_task(run(database))
        except StoreError:
            raise
        except TimeoutError:
            raise Unavailable(f"Spanner did not answer within {seconds:g} s") from None
        except (GoogleAPICallError, RetryError, GoogleAuthError) as error:
            raise translated(error) from None

    async def _connected(self) -> Any:
        if self._closed:
            raise Unavailable("the store is closed")
        if self._database is None:
            async with self._connecting:
                if self._database is None:
                    self._database = await self._connect()
        return self._database

    async def _connect(self) -> Any:
        if self._emulator:
            os.environ.setdefault(NO_MULTIPLEXED_WRITES, "false")
            client = AsyncClient(
                project=self._project,
                credentials=AnonymousCredentials(),
                client_options=ClientOptions(api_endpoint=self._emulator),
                disable_builtin_metrics=True,
            )
            instance = client.instance(
                self._instance_id,
                configuration_name=f"projects/{self._project}/instanceConfigs/emulator-config",
                node_count=1,
            )
            if self._create:
                await _made(instance)
                await _made(await instance.database(self._database_id))
        else:
            client = AsyncClient(project=self._project, disable_builtin_metrics=True)
            instance = client.instance(self._instance_id)
        return await instance.database(self._database_id)

    @contextlib.asynccontextmanager
    async def _turn_taken(self) -> AsyncIterator[None]:
        if self._turn is None:
            yield
        else:
            async with self._turn:
                yield


async def _made(thing: Any) -> None:
    try:
        operation = await thing.create()
        await operation.result()
    except AlreadyExists:
        pass


async def _rolled_back(begun: Sequence[Any]) -> None:
    """Roll the last attempt back, if the client has not."""
    if not begun:
        return
    last = begun[-1]
    if last._transaction_id is not None and last.committed is None and not last.rolled_back:
        with contextlib.suppress(Exception):
            await asyncio.shield(asyncio.wait_for(last.rollback(), timeout=2.0))
