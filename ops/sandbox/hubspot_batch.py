"""One row of a HubSpot batch call: done on the portal, and its result or error document.

Source: HubSpot CRM API guides, batch endpoints and "Error handling" (207 with per-row errors).
"""

from __future__ import annotations

from typing import Any

from ops.sandbox.hubspot_portal import Portal, RowError
from ops.sandbox.world import JsonObject


def do_row(portal: Portal, object_type: str, action: str, row: Any, body: JsonObject) -> JsonObject:
    """Do one row of a batch and give its result document."""
    if not isinstance(row, dict):
        raise RowError(400, "VALIDATION_ERROR", "a batch row must be an object")
    trace = {"objectWriteTraceId": row["objectWriteTraceId"]} if row.get("objectWriteTraceId") else {}
    values = row.get("properties")
    if action == "create":
        return {**portal.create(object_type, values, row.get("associations")).document(), **trace}
    key = row.get("id")
    if not isinstance(key, str) or not key:
        raise RowError(400, "VALIDATION_ERROR", "every row needs an id, as a string")
    if action == "read":
        record = portal.get(object_type, key, body.get("idProperty"))
        return record.document(body.get("properties") or [])
    if action == "update" or not row.get("idProperty"):
        record = portal.get(object_type, key, row.get("idProperty"))
        return {**portal.update(object_type, record, values).document(), "new": False, **trace}
    record, new = portal.upsert(object_type, key, row["idProperty"], values)
    return {**record.document(), "new": new, **trace}


def error_row(error: RowError, row: Any) -> JsonObject:
    """The entry of `errors[]` for a refused row; its context names the row's id and trace id."""
    context: dict[str, list[str]] = {}
    if isinstance(row, dict):
        context["ids"] = [str(row.get("id", ""))]
        if row.get("objectWriteTraceId"):
            context["objectWriteTraceId"] = [str(row["objectWriteTraceId"])]
    return {
        "status": "error", "category": error.category, "message": error.message, "context": context,
        "errors": error.details, "links": {},
    }  # fmt: skip
