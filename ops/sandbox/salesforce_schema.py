"""The sObjects that a sandbox Salesforce org has, with their fields, and the rule each value must keep.

Standard fields carry Salesforce's names and lengths; the `__c` fields are what a tenant of leadbus registers once.
Any other `__c` field is unknown, as in a real org. Types: string, email, phone, double, int, boolean, date, datetime,
picklist (any value: Salesforce does not restrict standard picklists over the API), reference, url, textarea.
Source: Salesforce Object Reference (Lead, Contact, Task).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from ops.sandbox.world import JsonObject

CONTACT_KEY: Final = "Leadbus_Contact_Id__c"
REQUEST_KEY: Final = "Leadbus_Request_Id__c"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TEXT: Final = ("string", "email", "phone", "picklist", "url", "textarea", "reference", "date", "datetime")


@dataclass(frozen=True)
class Field:
    """One field of an sObject. length is in characters, for text only."""

    name: str
    kind: str = "string"
    length: int = 255
    required: bool = False
    external_id: bool = False
    writable: bool = True

    def document(self) -> JsonObject:
        """The field as `describe` answers it."""
        return {
            "name": self.name,
            "label": self.name.removesuffix("__c").replace("_", " "),
            "type": self.kind,
            "length": self.length if self.kind in _TEXT else 0,
            "nillable": not self.required,
            "defaultedOnCreate": False,
            "createable": self.writable,
            "updateable": self.writable,
            "externalId": self.external_id,
            "unique": self.external_id,
            "idLookup": self.external_id or self.name == "Id",
            "custom": self.name.endswith("__c"),
        }

    def problem_with(self, value: Any) -> tuple[str, str] | None:
        """Why Salesforce would refuse this value: (errorCode, message), or None."""
        if value is None:
            return None
        if not self.writable:
            return "INVALID_FIELD_FOR_INSERT_UPDATE", f"Unable to create/update fields: {self.name}"
        if self.kind == "boolean":
            return None if isinstance(value, bool) else self._parser_problem("boolean", value)
        if self.kind in ("double", "int"):
            if isinstance(value, bool) or not _is_number(value):
                return self._parser_problem(self.kind, value)
            return None
        if not isinstance(value, str):
            return self._parser_problem("string", value)
        if len(value) > self.length:
            return "STRING_TOO_LONG", f"{self.name}: data value too large (max length={self.length})"
        if self.kind == "email" and value and _EMAIL.fullmatch(value) is None:
            return "INVALID_EMAIL_ADDRESS", f"{self.name}: invalid email address: {value}"
        if self.kind in ("date", "datetime") and value and _DATE.match(value) is None:
            return self._parser_problem(self.kind, value)
        return None

    def _parser_problem(self, kind: str, value: Any) -> tuple[str, str]:
        return "JSON_PARSER_ERROR", f"Cannot deserialize instance of {kind} from {type(value).__name__} value"


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _sized(kind: str, sizes: str) -> list[Field]:
    """Fields written as `Name:length`."""
    return [Field(name, kind, int(length)) for name, length in (part.split(":") for part in sizes.split())]


def _tenant_fields(prefixes: tuple[str, ...] = ("", "Leadbus_")) -> list[Field]:
    """Custom fields that a tenant of leadbus has registered beforehand."""
    made = []
    for prefix in prefixes:
        for name in ("Lead_Score", "Spam_Likelihood", "Sentiment_Score"):
            made.append(Field(f"{prefix}{name}__c", "double"))
        for name in (
            "Sentiment",
            "Source_Detail",
            "Office",
            "Urgency",
            "Intent",
            "Service",
            "Language",
            "Consent",
            "Assigned_To",
        ):
            made.append(Field(f"{prefix}{name}__c", "string", 255))
        made.append(Field(f"{prefix}Recording_Url__c", "url", 1024))
        for name in ("Call_Summary", "Transcript", "Summary", "Semantic_Tags"):
            made.append(Field(f"{prefix}{name}__c", "textarea", 32_768))
    return made


def _audit() -> list[Field]:
    read_only = [Field("Id", "string", 18, writable=False)]
    read_only += [Field(n, "datetime", writable=False) for n in ("CreatedDate", "LastModifiedDate", "SystemModstamp")]
    return read_only


def sobjects() -> dict[str, dict[str, Field]]:
    """sObject name -> field name -> field."""
    lead = [
        Field("LastName", length=80, required=True),
        Field("Company", length=255, required=True),
        *_sized("string", "FirstName:40 Title:128 Street:255 City:40 State:80 PostalCode:20 Country:80"),
        *_sized("picklist", "Salutation:40 LeadSource:255 Status:255 Industry:255 Rating:255"),
        *_sized("phone", "Phone:40 MobilePhone:40 Fax:40"),
        Field("Email", "email", 80),
        Field("Website", "url", 255),
        Field("Description", "textarea", 32_000),
        Field("OwnerId", "reference", 18),
        Field("AnnualRevenue", "double"),
        Field("NumberOfEmployees", "int"),
        Field("HasOptedOutOfEmail", "boolean"),
        Field("DoNotCall", "boolean"),
        Field("IsConverted", "boolean", writable=False),
        Field(CONTACT_KEY, length=64, external_id=True),
        Field(REQUEST_KEY, length=64, external_id=True),
        *_tenant_fields(),
    ]
    contact = [
        Field("LastName", length=80, required=True),
        *_sized("string", "FirstName:40 Title:128 Department:80"),
        *_sized("string", "MailingStreet:255 MailingCity:40 MailingState:80 MailingPostalCode:20 MailingCountry:80"),
        *_sized("phone", "Phone:40 MobilePhone:40"),
        Field("LeadSource", "picklist"),
        Field("Email", "email", 80),
        Field("Description", "textarea", 32_000),
        *_sized("reference", "AccountId:18 OwnerId:18"),
        Field(CONTACT_KEY, length=64, external_id=True),
        *_tenant_fields(),
    ]
    task = [
        *_sized("string", "Subject:255 CallDisposition:255 CallObject:255"),
        *_sized("picklist", "Status:255 Priority:255 Type:255 TaskSubtype:40 CallType:40"),
        Field("Description", "textarea", 32_000),
        *_sized("reference", "WhoId:18 WhatId:18 OwnerId:18"),
        *_sized("date", "ActivityDate:10"),
        *_sized("datetime", "ReminderDateTime:40"),
        Field("IsReminderSet", "boolean"),
        Field("CallDurationInSeconds", "int"),
        Field(REQUEST_KEY, length=64, external_id=True),
        *_tenant_fields(),
    ]
    objects = {"Lead": lead, "Contact": contact, "Task": task}
    return {name: {field.name: field for field in [*_audit(), *fields]} for name, fields in objects.items()}
