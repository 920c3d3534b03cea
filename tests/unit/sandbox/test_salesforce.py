"""The Salesforce org, through simple-salesforce in direct mode."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import pytest
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceError,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)

from tests.unit.sandbox.conftest import Running

KEY = "Leadbus_Contact_Id__c"


class LoopbackSession(requests.Session):
    """Sends what the library addresses to https://its-instance to the sandbox instead."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self.trust_env = False
        self._base = urlsplit(base_url)

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(str(url))._replace(scheme=self._base.scheme, netloc=self._base.netloc)
        kwargs.setdefault("timeout", 5)
        return super().request(method, urlunsplit(parts), *args, **kwargs)


def org_of(running: Running, token: str) -> Salesforce:
    url = "https://lakeside.my.salesforce.com"
    session = LoopbackSession(running.at.salesforce)
    return Salesforce(session_id=token, instance_url=url, version="62.0", session=session)


@pytest.fixture
def org(running: Running) -> Salesforce:
    return org_of(running, "sandbox-salesforce-lakeside")


async def call(work: Any, *args: Any, **kwargs: Any) -> Any:
    """Run a call of the synchronous library beside the loop that serves it."""
    return await asyncio.to_thread(work, *args, **kwargs)


def code_of(refused: pytest.ExceptionInfo[SalesforceError]) -> Any:
    """The errorCode of the first error that the library raised with."""
    content: Any = refused.value.content
    return content[0]["errorCode"]


async def upsert(org: Salesforce, key: str, **values: Any) -> requests.Response:
    path = f"{KEY}/{quote(key, safe='')}"
    answer: requests.Response = await call(org.Lead.upsert, path, values, raw_response=True)
    return answer


async def test_an_upsert_creates_with_201_and_then_updates_with_200(org: Salesforce) -> None:
    first = await upsert(org, "c-1", LastName="Okafor", Company="Okafor", Lead_Score__c=86)
    again = await upsert(org, "c-1", FirstName="Robert")
    assert (first.status_code, first.json()["created"]) == (201, True)
    assert (again.status_code, again.json()["created"]) == (200, False)
    assert first.json()["id"] == again.json()["id"]
    assert len(first.json()["id"]) == 18
    found = await call(org.Lead.get_by_custom_id, KEY, "c-1")
    assert (found["FirstName"], found["LastName"], found["Lead_Score__c"]) == ("Robert", "Okafor", 86)


async def test_a_key_with_slashes_stays_one_key(running: Running, org: Salesforce) -> None:
    await upsert(org, "a/../../Account/001", LastName="X", Company="Y")
    leads = (await running.state("salesforce"))["accounts"]["lakeside"]["Lead"]
    assert leads[0][KEY] == "a/../../Account/001"


async def test_field_names_are_taken_in_any_case_and_unwritten_fields_are_null(org: Salesforce) -> None:
    await upsert(org, "c-1", lastname="Okafor", COMPANY="Okafor")
    found = await call(org.Lead.get, f"{KEY}/c-1", params={"fields": "Id,LastName,Email"})
    assert (found["LastName"], found["Email"], "Company" in found) == ("Okafor", None, False)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"FirstName": "Ann", "Company": "Y"}, "REQUIRED_FIELD_MISSING"),
        ({"LastName": "Lee"}, "REQUIRED_FIELD_MISSING"),
        ({"LastName": "Lee", "Company": "Y", "Unknown__c": "x"}, "INVALID_FIELD"),
        ({"LastName": "L" * 81, "Company": "Y"}, "STRING_TOO_LONG"),
        ({"LastName": "Lee", "Company": "Y", "Email": "nobody"}, "INVALID_EMAIL_ADDRESS"),
        ({"LastName": "Lee", "Company": "Y", "Lead_Score__c": "high"}, "JSON_PARSER_ERROR"),
        ({"LastName": "Lee", "Company": "Y", KEY: "c-1"}, "INVALID_FIELD"),
    ],
)
async def test_bad_leads_are_refused_with_salesforces_code(org: Salesforce, values: dict[str, Any], code: str) -> None:
    with pytest.raises(SalesforceMalformedRequest) as refused:
        await upsert(org, "c-1", **values)
    assert code_of(refused) == code


async def test_a_field_that_is_no_external_id_cannot_key_an_upsert(org: Salesforce) -> None:
    with pytest.raises(SalesforceResourceNotFound) as refused:
        await call(org.Lead.upsert, "Phone/1", {"LastName": "X", "Company": "Y"})
    assert code_of(refused) == "NOT_FOUND"


async def test_a_task_is_upserted_by_request_id(running: Running, org: Salesforce) -> None:
    lead = (await upsert(org, "c-1", LastName="X", Company="Y")).json()["id"]
    task = {"Subject": "Call back", "WhoId": lead, "Status": "Not Started", "ActivityDate": "2026-03-02"}
    for _ in range(2):
        await call(org.Task.upsert, "Leadbus_Request_Id__c/r-1", task)
    kept = (await running.state("salesforce"))["accounts"]["lakeside"]["Task"]
    assert [(t["Leadbus_Request_Id__c"], t["WhoId"]) for t in kept] == [("r-1", lead)]


async def test_a_collection_answers_each_row_in_order(org: Salesforce) -> None:
    records = [
        {"attributes": {"type": "Lead"}, KEY: "c-1", "LastName": "A", "Company": "A"},
        {"attributes": {"type": "Lead"}, KEY: "c-2", "Company": "B"},
    ]
    rows = await call(
        org.restful, f"composite/sobjects/Lead/{KEY}", method="PATCH", json={"allOrNone": False, "records": records}
    )
    assert [row["success"] for row in rows] == [True, False]
    assert rows[1]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    rows = await call(
        org.restful,
        f"composite/sobjects/Lead/{KEY}",
        method="PATCH",
        json={"allOrNone": True, "records": [dict(records[0], **{KEY: "c-3"}), records[1]]},
    )
    assert rows[0]["errors"][0]["statusCode"] == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    found = await call(org.query, "SELECT Id FROM Lead WHERE Leadbus_Contact_Id__c = 'c-3'")
    assert found["totalSize"] == 0


async def test_validation_reads_limits_and_describe(org: Salesforce) -> None:
    assert (await call(org.limits))["DailyApiRequests"]["Max"] == 100_000
    fields = {f["name"]: f for f in (await call(org.Lead.describe))["fields"]}
    assert fields[KEY]["externalId"] is True
    assert fields[KEY]["unique"] is True
    assert fields["LastName"]["nillable"] is False


async def test_api_usage_is_told_on_every_answer(org: Salesforce) -> None:
    answer = await upsert(org, "c-1", LastName="X", Company="Y")
    assert answer.headers["Sforce-Limit-Info"] == "api-usage=1/100000"


async def test_a_spent_day_is_refused(running: Running, org: Salesforce) -> None:
    await running.limits(salesforce_daily=1)
    await upsert(org, "c-1", LastName="X", Company="Y")
    with pytest.raises(SalesforceRefusedRequest) as refused:
        await upsert(org, "c-1", FirstName="Z")
    assert code_of(refused) == "REQUEST_LIMIT_EXCEEDED"


async def test_an_unknown_session_is_refused_in_an_array(running: Running) -> None:
    with pytest.raises(SalesforceExpiredSession) as refused:
        await upsert(org_of(running, "stolen"), "c-1", LastName="X", Company="Y")
    assert code_of(refused) == "INVALID_SESSION_ID"


async def test_client_credentials_buy_a_session_that_works(running: Running) -> None:
    door = f"{running.at.salesforce}/services/oauth2/token"
    form = {"grant_type": "client_credentials", "client_id": "sandbox-salesforce-lakeside"}
    async with running.http.post(door, data={**form, "client_secret": "wrong"}) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"] == "invalid_client"
    async with running.http.post(door, data={**form, "client_secret": "sandbox-secret-lakeside"}) as answer:
        token = (await answer.json())["access_token"]
    await upsert(org_of(running, token), "c-1", LastName="X", Company="Y")
    assert list((await running.state("salesforce"))["accounts"]) == ["lakeside"]


async def test_a_fault_can_lock_a_row(running: Running, org: Salesforce) -> None:
    body = [{"message": "unable to obtain exclusive access", "errorCode": "UNABLE_TO_LOCK_ROW"}]
    await running.fault(vendor="salesforce", kind="status", status=400, body=body, method="PATCH")
    with pytest.raises(SalesforceError) as refused:
        await upsert(org, "c-1", LastName="X", Company="Y")
    assert code_of(refused) == "UNABLE_TO_LOCK_ROW"
    assert (await upsert(org, "c-1", LastName="X", Company="Y")).status_code == 201


async def test_reset_after_effect_leaves_a_lead_unknown_to_the_caller(running: Running, org: Salesforce) -> None:
    await running.fault(vendor="salesforce", kind="reset_after_effect")
    with pytest.raises(requests.exceptions.ConnectionError):
        await upsert(org, "c-1", LastName="X", Company="Y")
    assert (await upsert(org, "c-1", LastName="X")).json()["created"] is False
