"""`validate_connection` finds what would stop leads, says what to do about it, and writes nothing."""

from connectors.crm.opening import ConnectorPool
from tests.conformance.crm.conftest import Desk


async def test_a_good_connection_is_ok_and_names_the_account(desk: Desk) -> None:
    validation = await (await desk.crm()).validate_connection()
    assert validation.ok, validation.findings
    assert validation.account
    assert (desk.bench.people(), desk.bench.inquiries()) == ([], [])


async def test_a_dead_credential_is_found(desk: Desk, pool: ConnectorPool) -> None:
    async with pool.using("summit", desk.bench.connector(), "revoked") as crm:
        validation = await crm.validate_connection()
    assert not validation.ok
    assert [finding.code for finding in validation.findings] == ["auth"]
    assert validation.findings[0].fix


async def test_a_missing_key_field_is_found_and_named(desk: Desk, pool: ConnectorPool) -> None:
    other = {"pipedrive": {"contact_field": "not there"}, "salesforce": {"contact_key": "Not_There__c"}}
    settings = other.get(desk.bench.vendor, {"contact_key": "not_there"})
    async with pool.using("summit", desk.bench.connector(**settings), desk.bench.secret) as crm:
        validation = await crm.validate_connection()
    assert [finding.code for finding in validation.findings] == ["field"]
    assert next(iter(settings.values())) in validation.findings[0].fix


async def test_a_vendor_that_does_not_answer_is_unreachable(desk: Desk) -> None:
    desk.bench.fail("reset", "/", times=20)
    validation = await (await desk.crm()).validate_connection()
    assert [finding.code for finding in validation.findings] == ["unreachable"]
