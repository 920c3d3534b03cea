"""The properties that a sandbox HubSpot portal starts with, and the rule each value must keep.

Standard properties carry HubSpot's own names and types; the custom ones are what a leadbus tenant creates once in
its portal. Values travel as strings in the CRM v3 API; numbers, dates and options are checked by content.
Source: HubSpot CRM API guides, Properties; hubspot-api-client 12.0.0, `crm.properties.models.Property`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ops.sandbox.world import JsonObject

TYPE_NAMES: Final = {
    "0-1": "contacts", "0-2": "companies", "0-3": "deals", "0-5": "tickets", "0-27": "tasks", "0-46": "notes",
    "0-136": "leads", "contact": "contacts", "company": "companies", "deal": "deals", "ticket": "tickets",
    "task": "tasks", "note": "notes", "lead": "leads",
}  # fmt: skip
OBJECT_TYPES: Final = ("contacts", "companies", "deals", "tickets", "tasks", "notes", "leads")
_DEAL_STAGES: Final = (
    "appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "decisionmakerboughtin", "contractsent",
    "closedwon", "closedlost",
)  # fmt: skip
_LIFECYCLE: Final = (
    "subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist",
    "other",
)  # fmt: skip
_LEAD_STATUS: Final = (
    "NEW", "OPEN", "IN_PROGRESS", "OPEN_DEAL", "UNQUALIFIED", "ATTEMPTED_TO_CONTACT", "CONNECTED", "BAD_TIMING",
)  # fmt: skip
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True)
class Property:
    """One property definition. kind is HubSpot's type: string, number, enumeration, datetime, date, bool."""

    name: str
    kind: str = "string"
    unique: bool = False
    options: tuple[str, ...] = ()
    label: str = ""
    hubspot_defined: bool = True

    def document(self) -> JsonObject:
        """The definition as the properties API answers it."""
        fields = {"number": "number", "enumeration": "select", "datetime": "date", "date": "date"}
        return {
            "name": self.name,
            "label": self.label or self.name,
            "type": self.kind,
            "fieldType": fields.get(self.kind, "text"),
            "groupName": "leadbus" if not self.hubspot_defined else "information",
            "description": "",
            "options": [
                {"label": o, "value": o, "displayOrder": i, "hidden": False} for i, o in enumerate(self.options)
            ],
            "hasUniqueValue": self.unique,
            "hubspotDefined": self.hubspot_defined,
            "archived": False,
            "hidden": False,
            "calculated": False,
            "externalOptions": False,
            "formField": True,
            "displayOrder": -1,
        }


def problem_with(definition: Property | None, name: str, value: Any) -> tuple[str, str] | None:
    """Why this value cannot be stored: (HubSpot's error code, message), or None when it can."""
    if definition is None:
        return "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'
    if not isinstance(value, str):
        return "INVALID_VALUE", f"{name}: property values must be strings"
    if value == "":
        return None
    if definition.kind == "number" and not _is_number(value):
        return "INVALID_INTEGER", f"{value} was not a valid number."
    if definition.kind == "bool" and value not in ("true", "false"):
        return "INVALID_BOOLEAN", f"{value} was not one of true, false."
    if definition.options and value not in definition.options:
        return "INVALID_OPTION", f"{value} was not one of the allowed options: {', '.join(definition.options)}"
    if definition.kind in ("datetime", "date") and not _is_time(value):
        return "INVALID_DATE", f"{value} was not a valid timestamp."
    if definition.name == "email" and _EMAIL.fullmatch(value) is None:
        return "INVALID_EMAIL", f"Email address {value} is invalid"
    return None


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _is_time(value: str) -> bool:
    if value.lstrip("-").isdigit():
        return True
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def starting_properties() -> dict[str, dict[str, Property]]:
    """object type -> name -> definition, for a fresh portal."""
    text = {
        "contacts": "firstname lastname phone mobilephone company address city state zip country website jobtitle "
        "message hs_language hs_analytics_source hs_content_membership_notes twitterhandle fax",
        "companies": "name domain phone address city state zip country website description industry",
        "deals": "dealname pipeline description hubspot_owner_id closed_lost_reason",
        "tickets": "subject content hs_pipeline hs_pipeline_stage source_type",
        "tasks": "hs_task_subject hs_task_body hs_task_type",
        "notes": "hs_note_body hs_attachment_ids",
        "leads": "hs_lead_name hs_lead_type hs_lead_label hs_lead_source",
    }
    typed: dict[str, list[Property]] = {
        "contacts": [
            Property("email", unique=True),
            Property("lifecyclestage", "enumeration", options=_LIFECYCLE),
            Property("hs_lead_status", "enumeration", options=_LEAD_STATUS),
        ],
        "deals": [
            Property("amount", "number"),
            Property("closedate", "datetime"),
            Property("dealstage", "enumeration", options=_DEAL_STAGES),
            Property("hs_priority", "enumeration", options=("low", "medium", "high")),
            Property("dealtype", "enumeration", options=("newbusiness", "existingbusiness")),
        ],
        "tickets": [Property("hs_ticket_priority", "enumeration", options=("LOW", "MEDIUM", "HIGH", "URGENT"))],
        "tasks": [
            Property("hs_timestamp", "datetime"),
            Property("hs_task_priority", "enumeration", options=("NONE", "LOW", "MEDIUM", "HIGH")),
            Property(
                "hs_task_status",
                "enumeration",
                options=("NOT_STARTED", "IN_PROGRESS", "WAITING", "COMPLETED", "DEFERRED"),
            ),
        ],
        "notes": [Property("hs_timestamp", "datetime")],
    }
    result: dict[str, dict[str, Property]] = {}
    for object_type in OBJECT_TYPES:
        definitions = [Property(name) for name in text[object_type].split()]
        definitions += [Property("hubspot_owner_id"), Property("hs_object_id")]
        definitions += [Property("createdate", "datetime"), Property("hs_lastmodifieddate", "datetime")]
        definitions += typed.get(object_type, []) + _tenant_properties(object_type)
        result[object_type] = {definition.name: definition for definition in definitions}
    return result


def _tenant_properties(object_type: str) -> list[Property]:
    """Custom properties that a tenant of leadbus has set up beforehand."""
    key = "leadbus_contact_id" if object_type in ("contacts", "companies") else "leadbus_request_id"
    made = [Property(key, unique=True, hubspot_defined=False)]
    if object_type in ("contacts", "deals", "leads", "tickets"):
        numbers = ("lead_score", "spam_likelihood", "sentiment_score")
        texts = (
            "sentiment", "urgency", "intent", "service", "call_summary", "summary", "source", "source_detail",
            "office", "recording_url", "transcript", "semantic_tags", "consent", "language",
        )  # fmt: skip
        for prefix in ("", "leadbus_"):
            made += [Property(prefix + name, "number", hubspot_defined=False) for name in numbers]
            made += [Property(prefix + name, hubspot_defined=False) for name in texts]
    return made
