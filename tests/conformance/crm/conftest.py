"""A sandbox and a pool per test; a `Desk` puts bench, ledger and connector together as the delivery daemon does."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.crm.opening import ConnectorPool
from connectors.crm.seam import ConnectorError, CrmConnector, Delivered, EffectUnknown, Retryable, Work
from connectors.settings import ConnectionSettings
from ops.sandbox.server import Sandbox, SandboxAddresses
from ops.sandbox.world import SandboxLimits
from schemas.decision import ConnectorKind, Write
from tests.conformance.crm.benches import CONTACT, RECORD_BENCHES, Bench
from tests.conformance.crm.ledger import Ledger, Values, some_id


@pytest.fixture
async def sandbox() -> AsyncIterator[tuple[Sandbox, SandboxAddresses]]:
    """Every vendor on loopback; Pipedrive's search lags a tenth of a second."""
    server = Sandbox(limits=SandboxLimits(pipedrive_search_lag_s=0.1))
    addresses = await server.start()
    yield server, addresses
    await server.stop()


def settings_for(addresses: SandboxAddresses) -> ConnectionSettings:
    return ConnectionSettings(
        kafka_bootstrap="-",
        store_url="sqlite:///-",
        objects_url="memory://",
        hubspot_url=addresses.hubspot,
        salesforce_url=addresses.salesforce,
        pipedrive_url=addresses.pipedrive,
        sendgrid_url=addresses.sendgrid,
        connect_timeout_seconds=2,
        read_timeout_seconds=5,
    )


OpenPool = Callable[[], ConnectorPool]


@pytest.fixture
async def open_pool(sandbox: tuple[Sandbox, SandboxAddresses]) -> AsyncIterator[OpenPool]:
    """Makes pools: each is what a process of its own would have."""
    made: list[ConnectorPool] = []

    def make() -> ConnectorPool:
        made.append(ConnectorPool(settings_for(sandbox[1]), monotonic=time.monotonic, now=lambda: datetime.now(UTC)))
        return made[-1]

    yield make
    for pool in made:
        await pool.close()


@pytest.fixture
def pool(open_pool: OpenPool) -> ConnectorPool:
    return open_pool()


class Desk:
    """Delivers orders of one tenant and keeps its ledger."""

    def __init__(self, bench: Bench, open_pool: OpenPool) -> None:
        self.bench = bench
        self.names = bench.names
        self.ledger = Ledger()
        self._open_pool = open_pool
        self._pool = open_pool()
        self._orders = 0

    def forgetful(self) -> "Desk":
        """The same vendor, seen by a new process with an empty ledger."""
        return Desk(self.bench, self._open_pool)

    def work(self, request: str, person: Values, inquiry: Values | None = None, *, order: str | None = None) -> Work:
        """A step that writes the person and, if given, the inquiry called `request`."""
        self._orders += 1
        names, request_id = self.names, some_id(f"request/{request}")
        records = [self.ledger.record(names.person, CONTACT, person)]
        if inquiry is not None:
            records.append(self.ledger.record(names.inquiry, request_id, inquiry, names.tied_to))
        order_id = some_id(f"order/{order or self._orders}")
        return Work(order_id=order_id, request_id=request_id, contact_id=CONTACT, records=tuple(records))

    def lead(self, request: str = "one", **values: Any) -> Work:
        """A usual lead: name, phone, e-mail, one inquiry. `values` changes fields of the person by their role."""
        names = self.names
        person = {"name": "Dana Whitfield", "phone": "+13125550143", "email": "dana.whitfield@example.com", **values}
        return self.work(
            request,
            {getattr(names, role): (value, Write.IF_EMPTY) for role, value in person.items()},
            {names.title: (f"Inquiry {request}", Write.IF_EMPTY)},
        )

    async def send(self, work: Work, *, secret: str | None = None, **settings: Any) -> Delivered:
        """One call of `create_lead`; a success is kept in the ledger."""
        async with self._pool.using("summit", self.bench.connector(**settings), secret or self.bench.secret) as crm:
            delivered = await crm.create_lead(work, self.ledger.effects(work.order_id))
        self.ledger.done(work, delivered)
        return delivered

    async def refused(self, work: Work, **options: Any) -> ConnectorError:
        """The error that the call ends with."""
        with pytest.raises(ConnectorError) as caught:
            await self.send(work, **options)
        return caught.value

    async def insist(self, work: Work) -> Delivered:
        """What the daemon does until the step is done: after an unknown end, look up first; then once more."""
        for _ in range(5):
            with suppress(Retryable, EffectUnknown):
                return await self.send(work)
            if (found := await self.look_up(work)) is not None:
                self.ledger.done(work, found)
                return found
        raise AssertionError("the step was never done")

    async def look_up(self, work: Work) -> Delivered | None:
        async with self._pool.using("summit", self.bench.connector(), self.bench.secret) as crm:
            return await crm.reconcile(work, self.ledger.effects(work.order_id))

    async def crm(self) -> CrmConnector:
        """The connector itself, for calls that the ledger has no part in."""
        async with self._pool.using("summit", self.bench.connector(), self.bench.secret) as crm:
            return crm

    async def settle(self) -> None:
        """Wait until the vendor's search has seen what was written."""
        if self.bench.kind is ConnectorKind.PIPEDRIVE:
            await asyncio.sleep(0.15)


@pytest.fixture(params=list(RECORD_BENCHES), ids=lambda kind: kind.value)
def desk(request: pytest.FixtureRequest, sandbox: tuple[Sandbox, SandboxAddresses], open_pool: OpenPool) -> Desk:
    """Every connector that writes records, one after the other."""
    return Desk(RECORD_BENCHES[request.param](*sandbox), open_pool)
