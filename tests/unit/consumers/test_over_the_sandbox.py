"""Routing and delivery of the example tenants with the real connectors, against the vendors' sandbox."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from connectors.bundles.live import LiveBundles
from connectors.crm.opening import ConnectorPool
from connectors.settings import ConnectionSettings
from connectors.store.seam import FullStore
from consumers import delivery, routing
from consumers.effects import Effector
from consumers.ledger import Leases
from consumers.routing import Routing
from consumers.rulesets import RuleSets
from consumers.runtime.clock import SystemClock
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.seam import HandlerError, Park, Publication
from ops.sandbox.credentials import token_for
from ops.sandbox.server import Sandbox
from ops.tenants import publish_folder
from schemas import codec
from schemas.delivery import DeliveryOrder
from schemas.documents import Analysis, AnalysisState, Analyzed, Inbound, grow
from tests.unit.consumers.house import inbound, record_of, tenants_of, told
from tests.unit.rules.documents import TENANTS

WRONG = "wrong-s3cr3t-token"


class Keyring:
    """The sandbox's credential for every secret; wrong ones on demand."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.wrong = False

    async def get(self, tenant_id: str, ref: str) -> str:
        if self.wrong:
            return WRONG
        vendor = next(v for v in ("hubspot", "salesforce", "pipedrive", "sendgrid") if v.upper() in ref)
        return token_for(vendor, self.account)

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Office:
    """One tenant's way from routing to the vendors."""

    sandbox: Sandbox
    keys: Keyring
    route: Any
    deliver: Any

    async def run(self, document: dict[str, Any], kind: Any = Inbound) -> list[dict[str, Any]]:
        """Decide, and follow the plan to its end; the outcomes."""
        waiting: list[Publication] = list(await self.route(record_of(kind, document)))
        ended = []
        while waiting:
            published = waiting.pop(0)
            if published.topic.startswith("deliver."):
                order = codec.loads(published.value)
                waiting += await self.deliver(record_of(DeliveryOrder, order, topic=published.topic))
            ended += told([published], "outcomes")
        return ended

    def kept(self, vendor: str) -> str:
        """All that the vendor keeps, as text."""
        return codec.dumps(self.sandbox.state()[vendor]).decode()


@pytest.fixture
async def sandbox() -> AsyncIterator[tuple[Sandbox, ConnectionSettings]]:
    running = Sandbox()
    at = await running.start()
    yield (
        running,
        ConnectionSettings(
            kafka_bootstrap="-",
            store_url="-",
            objects_url="memory://",
            hubspot_url=at.hubspot,
            salesforce_url=at.salesforce,
            pipedrive_url=at.pipedrive,
            sendgrid_url=at.sendgrid,
        ),
    )
    await running.stop()


async def office_of(
    store: FullStore, tenant: str, sandbox: Sandbox, settings: ConnectionSettings, pool: ConnectorPool
) -> Office:
    await publish_folder(store, TENANTS / tenant)
    rules: Any = LiveBundles(store, "rules", lambda live, half: half)
    await rules.refresh()
    tenants, clock, keys = await tenants_of(store), SystemClock(), Keyring(tenant)
    effector = Effector(store=store, leases=Leases(store, "one", 30.0), failpoints=Failpoints(), owner="one")
    handler = delivery.Delivery(tenants, pool, keys, effector, Failpoints(), clock)
    route = routing.spec(Routing(RuleSets(tenants, rules), store, clock)).handler
    return Office(sandbox, keys, route, delivery.spec(handler).handler)


@pytest.fixture
async def offices(
    bare_store: FullStore, sandbox: tuple[Sandbox, ConnectionSettings]
) -> AsyncIterator[dict[str, Office]]:
    running, settings = sandbox
    clock = SystemClock()
    pool = ConnectorPool(settings, monotonic=clock.monotonic, now=clock.now)
    names = sorted(path.name for path in TENANTS.iterdir())
    yield {name: await office_of(bare_store, name, running, settings, pool) for name in names}
    await pool.close()


CRM: Mapping[str, str] = {
    "summit-roofing": "hubspot",
    "bright-dental": "salesforce",
    "northwind-agency": "pipedrive",
}


async def lead_of(tenant: str, store: FullStore) -> dict[str, Any]:
    known = (await tenants_of(store)).all()[tenant]
    lead = {
        "name": "Zoe Marchand",
        "email": "zoe@example.com",
        "phone": "+13125550142",
        "message": "My roof leaks, please call me back.",
    }
    return inbound(tenant=tenant, office_id=known.offices[0].id, lead=lead)


def scored(document: dict[str, Any]) -> dict[str, Any]:
    analysis = Analysis(
        state=AnalysisState.DONE, lead_score=92, spam_likelihood=0.01, urgency="high", summary="Wants a call back."
    )
    return grow(document, analysis=analysis)


@pytest.mark.parametrize("tenant", sorted(CRM))
async def test_both_phases_end_in_one_record_at_the_vendor(
    offices: dict[str, Office], bare_store: FullStore, tenant: str
) -> None:
    office = offices[tenant]
    document = await lead_of(tenant, bare_store)
    first = await office.run(document)
    second = await office.run(scored(document), Analyzed)
    assert {each["state"] for each in first + second} == {"delivered"}, [each["reason"] for each in first + second]
    assert [each["last"] for each in first] == [True]
    assert second[-1]["last"] is True
    kept = office.kept(CRM[tenant])
    assert kept.count(document["envelope"]["contact_id"]) >= 1
    assert kept.count(document["envelope"]["request_id"]) >= 1
    again = await office.run(document) + await office.run(scored(document), Analyzed)
    assert [each["outcome_id"] for each in again] == [each["outcome_id"] for each in first + second]
    # What the later phase has written meanwhile is its own: the replay of the earlier one may find nothing left.
    assert {each["state"] for each in again} <= {"delivered", "superseded"}
    assert without_times(office.kept(CRM[tenant])) == without_times(kept)


async def test_a_credential_that_does_not_work_pauses_the_connector_and_is_in_no_word_of_it(
    offices: dict[str, Office], bare_store: FullStore
) -> None:
    for tenant, office in offices.items():
        office.keys.wrong = True
        with pytest.raises(HandlerError) as caught:
            await office.run(await lead_of(tenant, bare_store))
        assert isinstance(caught.value, Park), tenant
        assert caught.value.connector_id is not None
        assert "s3cr3t" not in f"{caught.value} {caught.value.detail}"


def without_times(text: str) -> str:
    """Counts of calls and times of reading differ; records do not."""
    found = codec.loads(text)
    records = {name: value for name, value in found.items() if name not in ("calls", "requests", "journal")}
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)?", "", codec.canonical(records).decode())
