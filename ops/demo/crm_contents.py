"""What lies in the vendors' systems at the end, in one shape for all of them, and what is doubled there.

Read from the sandbox's control door. Ids, times and order are left out, so that two runs of the same day can be
compared byte for byte.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

PORT = re.compile(r"http://127\.0\.0\.1:\d+")
VOLATILE = frozenset(
    {
        "id",
        "hs_object_id",
        "createdate",
        "hs_lastmodifieddate",
        "hs_timestamp",
        "createdAt",
        "updatedAt",
        "CreatedDate",
        "LastModifiedDate",
        "SystemModstamp",
        "Id",
        "add_time",
        "update_time",
        "person_id",
        "lead_id",
        "WhoId",
        "message_id",
        "received_at",
        "at",
    }
)


@dataclass(frozen=True, slots=True)
class Item:
    """One record or mail: where it lies, what it is, which identity of ours it carries, and its content."""

    vendor: str
    account: str
    kind: str
    ours: str
    content: Mapping[str, Any]


def items(state: Mapping[str, Any]) -> list[Item]:
    """Everything that was delivered, sorted."""
    found = [*_hubspot(state), *_salesforce(state), *_pipedrive(state), *_mails(state)]
    return sorted(found, key=lambda item: (item.vendor, item.account, item.kind, item.ours))


def doubled(found: Iterable[Item]) -> list[str]:
    """Identities that stand more than once in the same place: effects that happened twice."""
    counts = Counter((item.vendor, item.account, item.kind, item.ours) for item in found if item.ours)
    return [f"{'/'.join(place)} stands {count} times" for place, count in counts.items() if count > 1]


def comparable(found: Iterable[Item]) -> list[dict[str, Any]]:
    """The contents without what differs between two runs of the same day: times, the vendors' ids and ports."""
    return [
        {
            "where": f"{item.vendor}/{item.account}/{item.kind}",
            "ours": item.ours,
            "content": _steady({key: value for key, value in sorted(item.content.items()) if key not in VOLATILE}),
        }
        for item in found
    ]


def _steady(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _steady(inner) for key, inner in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [_steady(inner) for inner in value]
    return PORT.sub("http://127.0.0.1", value) if isinstance(value, str) else value


def counts(found: Iterable[Item]) -> dict[str, dict[str, int]]:
    """Vendor to kind to number."""
    table: dict[str, Counter[str]] = {}
    for item in found:
        table.setdefault(item.vendor, Counter())[item.kind] += 1
    return {vendor: dict(sorted(kinds.items())) for vendor, kinds in sorted(table.items())}


def _accounts(state: Mapping[str, Any], vendor: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    return dict(state.get(vendor, {}).get("accounts", {})).items()


def _hubspot(state: Mapping[str, Any]) -> Iterable[Item]:
    for account, portal in _accounts(state, "hubspot"):
        for kind in ("contacts", "deals", "notes", "tasks"):
            for record in portal.get(kind, []):
                properties = record["properties"]
                ours = properties.get("leadbus_contact_id" if kind == "contacts" else "leadbus_request_id", "")
                yield Item("hubspot", account, kind, ours or "", properties)


def _salesforce(state: Mapping[str, Any]) -> Iterable[Item]:
    for account, org in _accounts(state, "salesforce"):
        for kind, records in org.items():
            if not isinstance(records, list):
                continue
            for record in records:
                ours = record.get("Leadbus_Contact_Id__c" if kind == "Lead" else "Leadbus_Request_Id__c", "")
                yield Item("salesforce", account, kind, ours or "", record)


def _pipedrive(state: Mapping[str, Any]) -> Iterable[Item]:
    for account, company in _accounts(state, "pipedrive"):
        keys = {key for fields in company.get("fields", {}).values() for key in fields.values()}
        for person in company.get("persons", []):
            custom = person.get("custom_fields") or {}
            ours = next((str(v) for k, v in custom.items() if k in keys and v), "")
            yield Item("pipedrive", account, "persons", ours, person)
        for lead in company.get("leads", []):
            yield Item("pipedrive", account, "leads", lead.get("origin_id") or "", lead)
        for note in company.get("notes", []):
            yield Item("pipedrive", account, "notes", "", note)


def _mails(state: Mapping[str, Any]) -> Iterable[Item]:
    for account, mailbox in _accounts(state, "sendgrid"):
        for mail in mailbox.get("mails", []):
            people = mail.get("personalizations") or [{}]
            arguments = {**(mail.get("custom_args") or {}), **(people[0].get("custom_args") or {})}
            yield Item("sendgrid", account, "mails", arguments.get("order_id", ""), mail)
