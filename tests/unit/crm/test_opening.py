"""Connectors are built once per configuration, and closed when nobody needs them."""

import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.crm.opening import ConnectorPool
from connectors.crm.registry import registrations
from connectors.crm.seam import ConfigBroken
from connectors.settings import ConnectionSettings
from schemas.decision import ConnectorKind
from schemas.tenant import Connector


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def pool(clock: Clock) -> AsyncIterator[ConnectorPool]:
    settings = ConnectionSettings(kafka_bootstrap="-", store_url="sqlite:///-", objects_url="memory://")
    made = ConnectorPool(settings, monotonic=clock, now=lambda: datetime(2026, 5, 1, tzinfo=UTC), idle_seconds=100)
    yield made
    await made.close()


def hubspot(**settings: Any) -> Connector:
    return Connector(id="crm", kind=ConnectorKind.HUBSPOT, settings=settings)


async def test_the_same_configuration_is_the_same_connector(pool: ConnectorPool) -> None:
    async with pool.using("summit", hubspot(), "t") as one, pool.using("summit", hubspot(), "t") as two:
        assert one is two


@pytest.mark.parametrize(
    ("tenant", "settings", "secret"),
    [("bright", {}, "t"), ("summit", {"portal_id": 5}, "t"), ("summit", {}, "rotated")],
)
async def test_another_tenant_setting_or_secret_is_another_connector(
    pool: ConnectorPool, tenant: str, settings: dict[str, Any], secret: str
) -> None:
    async with pool.using("summit", hubspot(), "t") as one, pool.using(tenant, hubspot(**settings), secret) as two:
        assert one is not two


async def test_idle_connectors_are_closed_and_busy_ones_are_not(pool: ConnectorPool, clock: Clock) -> None:
    async with pool.using("summit", hubspot(), "t"):
        pass
    async with pool.using("bright", hubspot(), "t"):
        clock.seconds += 99
        assert await pool.close_idle() == 0
        clock.seconds += 1
        assert await pool.close_idle() == 1
    assert await pool.close_idle() == 0


async def test_a_replaced_configuration_is_closed_before_it_is_idle(pool: ConnectorPool, clock: Clock) -> None:
    async with pool.using("summit", hubspot(), "old"):
        pass
    clock.seconds += 1
    async with pool.using("summit", hubspot(), "new"):
        pass
    assert await pool.close_idle() == 1


async def test_the_pool_sweeps_while_it_is_used(pool: ConnectorPool, clock: Clock) -> None:
    async with pool.using("summit", hubspot(), "t") as first:
        pass
    clock.seconds += 100
    async with pool.using("summit", hubspot(), "t") as second:
        assert second is not first


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("hubspot", {"portal": 5}, "settings.portal"),
        ("hubspot", {"contact_key": "Not A Name"}, "settings.contact_key"),
        ("hubspot", {"time_zone": "Mars/Base"}, "settings.time_zone"),
        ("salesforce", {}, "settings.instance_url"),
        ("salesforce", {"instance_url": "https://x.my.salesforce.com", "api_version": "62"}, "settings.api_version"),
        ("pipedrive", {"company_url": "acme"}, "settings.company_url"),
        ("email", {"from": "nobody"}, "settings.from"),
        ("email", {"from": "a@b.example\r\nBcc: c@d.example"}, "settings.from"),
        ("http", {}, "kind http"),
    ],
)
async def test_settings_that_cannot_work_are_config_broken_and_named(
    pool: ConnectorPool, kind: str, settings: dict[str, Any], said: str
) -> None:
    connector = Connector(id="crm", kind=ConnectorKind(kind), settings=settings)
    with pytest.raises(ConfigBroken) as caught:
        async with pool.using("summit", connector, "t"):
            pass
    assert said in caught.value.words


@pytest.mark.parametrize("secret", [None, "", "  ", "two words", "line\nbreak", "tökén"])
async def test_a_secret_that_is_no_token_is_config_broken_and_not_repeated(
    pool: ConnectorPool, secret: str | None
) -> None:
    with pytest.raises(ConfigBroken) as caught:
        async with pool.using("summit", hubspot(), secret):
            pass
    assert not secret or not secret.strip() or secret not in caught.value.words


async def test_whether_a_kind_upserts_is_known_without_building_it(pool: ConnectorPool) -> None:
    told = {kind.value: pool.upserts(kind) for kind in pool.kinds}
    assert told == {"hubspot": True, "salesforce": True, "pipedrive": False, "email": False}
    assert pool.upserts(ConnectorKind.MCP) is None
    settings: dict[str, dict[str, Any]] = {
        "salesforce": {"instance_url": "https://x.my.salesforce.com"},
        "pipedrive": {"company_url": "https://x.pipedrive.com"},
        "email": {"from": "a@b.example"},
    }
    for kind, upserts in told.items():
        connector = Connector(id="crm", kind=ConnectorKind(kind), settings=settings.get(kind, {}))
        async with pool.using("summit", connector, "t") as crm:
            assert (crm.kind.value, crm.upserts) == (kind, upserts)


def test_warming_a_kind_imports_its_library_and_no_other() -> None:
    script = (
        "import sys; from schemas.decision import ConnectorKind;"
        "from connectors.crm.registry import registrations, warm;"
        "warm(registrations()[ConnectorKind.HUBSPOT]);"
        "print([m for m in ('hubspot.crm.objects', 'simple_salesforce', 'aiohttp') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['hubspot.crm.objects']"


def test_finding_the_connectors_imports_no_vendors_library() -> None:
    script = (
        "import sys; from connectors.crm.registry import registrations; print(len(registrations()));"
        "print([m for m in ('hubspot', 'simple_salesforce', 'requests', 'urllib3', 'aiohttp') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == [str(len(registrations())), "[]"]
