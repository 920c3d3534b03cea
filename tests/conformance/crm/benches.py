"""What the suite must know of a vendor to test its connector: names of fields, where to look, how a person edits.

A connector without a bench fails the suite: whoever adds a vendor says here how its effects are seen.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast

import aiohttp

from ops.sandbox.credentials import token_for
from ops.sandbox.faults import Fault
from ops.sandbox.server import Sandbox, SandboxAddresses
from schemas.decision import ConnectorKind
from schemas.tenant import Connector
from tests.conformance.crm.ledger import some_id

Row = dict[str, Any]
VendorName = Literal["hubspot", "salesforce", "pipedrive", "sendgrid"]
ACCOUNT = "summit"


@dataclass(frozen=True)
class Names:
    """The mapping's names: two objects, and fields of the person and of the inquiry."""

    person: str
    inquiry: str
    name: str
    phone: str
    email: str
    score: str
    text: str
    title: str
    tied_to: tuple[str, ...]
    missing: str
    """A field that the vendor does not have."""


class Bench(ABC):
    """One vendor's side of the suite."""

    kind: ClassVar[ConnectorKind]
    vendor: ClassVar[VendorName]
    names: ClassVar[Names]
    settings: ClassVar[dict[str, Any]]
    person_write: ClassVar[str]
    """Path prefix of the call that creates a person."""
    inquiry_write: ClassVar[str]
    write_method: ClassVar[str]

    def __init__(self, sandbox: Sandbox, addresses: SandboxAddresses) -> None:
        self.sandbox = sandbox
        self.addresses = addresses

    @property
    def secret(self) -> str:
        return token_for(self.vendor, ACCOUNT)

    def connector(self, **changed: Any) -> Connector:
        return Connector(id="crm", kind=self.kind, settings={**self.settings, **changed})

    def account(self) -> Row:
        accounts = self.sandbox.state()[self.vendor]["accounts"]
        return cast(Row, accounts.get(ACCOUNT, {}))

    def calls(self) -> Mapping[str, int]:
        """Calls by `METHOD /path`."""
        return cast(Mapping[str, int], self.sandbox.state()[self.vendor]["calls"])

    def fail(self, kind: str, path: str, method: str | None = None, **more: Any) -> None:
        """Order a fault of the vendor."""
        order = {"vendor": self.vendor, "kind": kind, "path_prefix": path, "method": method, **more}
        self.sandbox.add_fault(Fault.model_validate(order))

    async def limit(self, **limits: float) -> None:
        """Change the vendors' limits."""
        await self.http("POST", f"{self.addresses.control}/limits", {}, limits)

    @abstractmethod
    def people(self) -> list[Row]:
        """Persons as `{field name: value}` in the mapping's names, with `id` and `key` (our contact id)."""

    @abstractmethod
    def inquiries(self) -> list[Row]:
        """Inquiries likewise, with `key` (our request id) and `person` (the person's id)."""

    @abstractmethod
    async def edit(self, person_id: str, field: str, value: Any) -> None:
        """A person edits a field of a person in the CRM."""

    async def http(self, method: str, url: str, headers: Mapping[str, str], body: Any) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, headers=headers, json=body) as answer,
        ):
            assert answer.status < 300, await answer.text()


class HubSpotBench(Bench):
    kind = ConnectorKind.HUBSPOT
    vendor = "hubspot"
    names = Names(
        person="contact", inquiry="deal", name="firstname", phone="phone", email="email", score="lead_score",
        text="message", title="dealname", tied_to=("contact",), missing="no_such_property",
    )  # fmt: skip
    settings: ClassVar[dict[str, Any]] = {}
    person_write = "/crm/v3/objects/contacts/batch/upsert"
    inquiry_write = "/crm/v3/objects/deals/batch/upsert"
    write_method = "POST"

    def people(self) -> list[Row]:
        rows = self.account().get("contacts", [])
        return [{**r["properties"], "id": r["id"], "key": r["properties"].get("leadbus_contact_id")} for r in rows]

    def inquiries(self) -> list[Row]:
        account = self.account()
        tied = {
            a["from_id"]: a["to_id"]
            for a in account.get("associations", [])
            if a["from_type"] == "deals" and a["to_type"] == "contacts"
        }
        return [
            {**r["properties"], "key": r["properties"]["leadbus_request_id"], "person": tied.get(r["id"])}
            for r in account.get("deals", [])
        ]

    async def edit(self, person_id: str, field: str, value: Any) -> None:
        url = f"{self.addresses.hubspot}/crm/v3/objects/contacts/{person_id}"
        await self.http("PATCH", url, {"Authorization": f"Bearer {self.secret}"}, {"properties": {field: str(value)}})


class SalesforceBench(Bench):
    kind = ConnectorKind.SALESFORCE
    vendor = "salesforce"
    names = Names(
        person="lead", inquiry="task", name="LastName", phone="Phone", email="Email", score="Lead_Score__c",
        text="Description", title="Subject", tied_to=("lead",), missing="No_Such_Field__c",
    )  # fmt: skip
    settings: ClassVar[dict[str, Any]] = {"instance_url": "https://summit.my.salesforce.com"}
    person_write = "/services/data/v62.0/sobjects/Lead/Leadbus_Contact_Id__c"
    inquiry_write = "/services/data/v62.0/sobjects/Task/Leadbus_Request_Id__c"
    write_method = "PATCH"

    def people(self) -> list[Row]:
        return [{**r, "id": r["Id"], "key": r.get("Leadbus_Contact_Id__c")} for r in self.account().get("Lead", [])]

    def inquiries(self) -> list[Row]:
        rows = self.account().get("Task", [])
        return [{**r, "key": r["Leadbus_Request_Id__c"], "person": r.get("WhoId")} for r in rows]

    async def edit(self, person_id: str, field: str, value: Any) -> None:
        url = f"{self.addresses.salesforce}/services/data/v62.0/sobjects/Lead/{person_id}"
        await self.http("PATCH", url, {"Authorization": f"Bearer {self.secret}"}, {field: value})


class PipedriveBench(Bench):
    kind = ConnectorKind.PIPEDRIVE
    vendor = "pipedrive"
    names = Names(
        person="contact", inquiry="lead", name="name", phone="phone", email="email", score="lead score",
        text="source detail", title="title", tied_to=("contact",), missing="no such field",
    )  # fmt: skip
    settings: ClassVar[dict[str, Any]] = {"company_url": "https://summit.pipedrive.com"}
    person_write = "/api/v2/persons"
    inquiry_write = "/api/v1/leads"
    write_method = "POST"

    def people(self) -> list[Row]:
        account = self.account()
        keys = account.get("fields", {}).get("person", {})
        return [self._person(row, keys) for row in account.get("persons", [])]

    def inquiries(self) -> list[Row]:
        rows = self.account().get("leads", [])
        return [{**r, "key": r["origin_id"], "person": str(r["person_id"])} for r in rows]

    async def edit(self, person_id: str, field: str, value: Any) -> None:
        keys = self.account()["fields"]["person"]
        listed = {"phone": "phones", "email": "emails"}
        if field in keys:
            body: Row = {"custom_fields": {keys[field]: value}}
        elif field in listed:
            body = {listed[field]: [{"value": value, "primary": True, "label": "work"}]}
        else:
            body = {field: value}
        url = f"{self.addresses.pipedrive}/api/v2/persons/{person_id}"
        await self.http("PATCH", url, {"x-api-token": self.secret}, body)

    def _person(self, row: Row, keys: Mapping[str, str]) -> Row:
        custom = {name: row["custom_fields"].get(key) for name, key in keys.items()}
        phone = next((p["value"] for p in row["phones"] if p.get("primary")), None)
        email = next((e["value"] for e in row["emails"] if e.get("primary")), None)
        own = {"id": str(row["id"]), "name": row["name"], "phone": phone, "email": email}
        return {**custom, **own, "key": custom["leadbus contact id"]}


RECORD_BENCHES: dict[ConnectorKind, type[Bench]] = {
    bench.kind: bench for bench in (HubSpotBench, SalesforceBench, PipedriveBench)
}
"""Connectors that write records. E-mail is tested in `test_email.py`: it has neither persons nor write modes."""

CONTACT = some_id("contact")
