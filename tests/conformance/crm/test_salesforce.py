"""Salesforce's own cases: required fields, the task's person, locked rows, duplicates, the session."""

import pytest

from connectors.crm.seam import ConfigBroken, PermanentRefusal, QuotaSpent, RateLimited, Retryable
from ops.sandbox.server import Sandbox, SandboxAddresses
from schemas.decision import Write
from tests.conformance.crm.benches import SalesforceBench
from tests.conformance.crm.conftest import Desk, OpenPool

UPSERT = SalesforceBench.person_write


@pytest.fixture
def desk(sandbox: tuple[Sandbox, SandboxAddresses], open_pool: OpenPool) -> Desk:
    return Desk(SalesforceBench(*sandbox), open_pool)


async def test_a_caller_without_name_or_company_gets_those_of_the_settings(desk: Desk) -> None:
    work = desk.work("one", {"Phone": ("+13125550143", Write.IF_EMPTY)})
    await desk.send(work, company="(private)", last_name="Caller")
    [lead] = desk.bench.people()
    assert (lead["LastName"], lead["Company"]) == ("Caller", "(private)")


async def test_defaults_do_not_overwrite_what_is_known_already(desk: Desk) -> None:
    named = {"LastName": ("Whitfield", Write.IF_EMPTY), "Company": ("Whitfield LLC", Write.IF_EMPTY)}
    await desk.send(desk.work("one", named))
    await desk.send(desk.work("two", {"Lead_Score__c": (87, Write.ALWAYS)}))
    [lead] = desk.bench.people()
    assert (lead["LastName"], lead["Company"], lead["Lead_Score__c"]) == ("Whitfield", "Whitfield LLC", 87)


async def test_a_task_that_a_person_has_tied_to_somebody_else_stays_there(desk: Desk) -> None:
    delivered = await desk.send(desk.lead())
    task = delivered.remote_ids["task"]
    url = f"{desk.bench.addresses.salesforce}/services/data/v62.0/sobjects/Task/{task}"
    await desk.bench.http(
        "PATCH", url, {"Authorization": f"Bearer {desk.bench.secret}"}, {"WhoId": "003000000000001AAA"}
    )
    await desk.send(desk.lead())
    assert desk.bench.inquiries()[0]["person"] == "003000000000001AAA"


async def test_field_names_in_another_case_still_respect_what_stands_there(desk: Desk) -> None:
    await desk.send(desk.lead(text="by a person"))
    await desk.send(desk.work("one", {"DESCRIPTION": ("by us", Write.IF_EMPTY)}))
    assert desk.bench.people()[0]["Description"] == "by a person"


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [
        (400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access", Retryable),
        (400, "CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", PermanentRefusal),
        (400, "DUPLICATES_DETECTED", "Use one of these records?", PermanentRefusal),
        (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", QuotaSpent),
        (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.", RateLimited),
        (403, "STORAGE_LIMIT_EXCEEDED", "storage limit exceeded", ConfigBroken),
        (503, "SERVER_UNAVAILABLE", "busy", Retryable),
    ],
)
async def test_the_vendors_codes_keep_their_meaning_over_the_wire(
    desk: Desk, status: int, code: str, message: str, expected: type[Exception]
) -> None:
    desk.bench.fail("status", UPSERT, "PATCH", status=status, body=[{"errorCode": code, "message": message}])
    assert isinstance(await desk.refused(desk.lead()), expected)


async def test_a_race_of_two_upserts_is_retryable_and_ends_in_one_lead(desk: Desk) -> None:
    words = "duplicate value found: Leadbus_Contact_Id__c duplicates value on record with id: 00Q000000000001"
    body = [{"errorCode": "DUPLICATE_VALUE", "message": words, "fields": ["Leadbus_Contact_Id__c"]}]
    desk.bench.fail("status", UPSERT, "PATCH", status=400, body=body)
    assert isinstance(await desk.refused(desk.lead()), Retryable)
    await desk.insist(desk.lead())
    assert len(desk.bench.people()) == 1


async def test_an_error_page_instead_of_json_is_judged_by_its_status(desk: Desk) -> None:
    desk.bench.fail("status", UPSERT, "PATCH", status=502, body="<html>bad gateway</html>")
    assert isinstance(await desk.refused(desk.lead()), Retryable)


async def test_the_token_goes_to_no_address_but_a_salesforce_org(desk: Desk) -> None:
    for url in (
        "https://evil.example", "http://acme.my.salesforce.com", "https://acme.my.salesforce.com.evil.example",
        "https://user@acme.my.salesforce.com", "https://acme.my.salesforce.com:8443", "https://127.0.0.1",
    ):  # fmt: skip
        error = await desk.refused(desk.lead(), instance_url=url)
        assert isinstance(error, ConfigBroken)
        assert "instance_url" in error.words
