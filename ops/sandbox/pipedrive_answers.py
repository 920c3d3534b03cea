"""The shapes of Pipedrive's answers: success envelope, pages, search items and field definitions of v1 and v2.

Source: Pipedrive API reference, v1 and v2.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aiohttp import web

from ops.sandbox.pipedrive_company import CustomField, Invalid
from ops.sandbox.world import JsonObject


def ok(data: Any, status: int = 200, **more: Any) -> web.Response:
    """`{"success": true, "data": …}`."""
    return web.json_response({"success": True, "data": data, **more}, status=status)


def page(request: web.Request, rows: list[JsonObject], paging: str) -> web.Response:
    """One page: v2 pages by cursor, v1 by start; `limit` is at most 500."""
    try:
        start = int(request.query.get("cursor" if paging == "next_cursor" else "start", "0"))
        limit = min(500, int(request.query.get("limit", "100")))
    except ValueError:
        raise Invalid("limit, start and cursor must be numbers") from None
    end = start + limit
    more = end < len(rows)
    if paging == "next_cursor":
        return ok(rows[start:end], additional_data={"next_cursor": str(end) if more else None})
    pagination = {"start": start, "limit": limit, "more_items_in_collection": more}
    return ok(rows[start:end], additional_data={"pagination": pagination})


def matching(rows: list[JsonObject], request: web.Request, names: tuple[str, ...]) -> list[JsonObject]:
    """The rows that equal every query parameter among `names`."""
    for name in names:
        if name in request.query:
            rows = [row for row in rows if str(row.get(name)) == request.query[name]]
    return rows


def zoned_time(text: str) -> datetime:
    """A time with zone; Invalid otherwise."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Invalid("updated_since: must be a time with zone, RFC 3339")
    return at


def search_item(object_type: str, document: JsonObject) -> JsonObject:
    """A document as search answers it: e-mails and phones are plain strings there."""
    if object_type == "lead":
        person = {"id": document.get("person_id")} if document.get("person_id") else None
        return {"id": document["id"], "type": "lead", "title": document["title"], "person": person}
    emails = [entry["value"] for entry in document["emails"]]
    custom = [str(value) for value in document["custom_fields"].values() if value is not None]
    return {
        "id": document["id"], "type": "person", "name": document["name"], "emails": emails,
        "phones": [entry["value"] for entry in document["phones"]], "primary_email": emails[0] if emails else None,
        "owner": {"id": document["owner_id"]}, "custom_fields": custom, "notes": [],
        "update_time": document["update_time"],
    }  # fmt: skip


def field_v1(field: CustomField) -> JsonObject:
    """A field definition as v1 answers it."""
    return {"id": field.id, "key": field.key, "name": field.name, "field_type": field.kind, "edit_flag": True}


def field_v2(field: CustomField) -> JsonObject:
    """A field definition as v2 answers it."""
    return {
        "field_code": field.key, "field_name": field.name, "field_type": field.kind, "is_custom_field": True,
        "is_optional_response_field": False, "options": None, "subfields": None,
    }  # fmt: skip
