"""tawk.to: chats and tickets of its widget.

Signed with HMAC-SHA1 over the raw body, hex, in `X-Tawk-Signature`. A webhook that was not answered is sent again for
twelve hours under the same `X-Hook-Event-Id`, which is the event's identity (tawk.to Developer, Webhooks). One chat is
one request, told of by its start, its end and its transcript; a ticket is a request of its own. Anonymous visitors are
named `V` and digits, which is no name. Outside the endpoint's property a body is Misdirected.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.reading.moments import micros, moment_of
from connectors.reading.text import text_of
from gateway.reading.bodies import read_json
from gateway.sources.seam import (
    EventKind,
    Hook,
    LeadDraft,
    Misdirected,
    Normalized,
    Sample,
    SignatureScheme,
    Source,
    Unreadable,
)
from schemas.lead import Mode

KINDS = {
    "chat:start": EventKind(rank=10),
    "chat:end": EventKind(rank=20),
    "chat:transcript_created": EventKind(rank=30),
    "ticket:create": EventKind(rank=10),
}
_ANONYMOUS = re.compile(r"V\d+")
_SENDERS = {"v": "visitor", "a": "agent", "s": "system"}
_MOST_CHARACTERS = 20_000
_MOST_MESSAGES = 500
_TAKEN = frozenset(["event", "chatId", "time", "message", "visitor", "requester", "chat"])


def normalize(hook: Hook) -> Sequence[Normalized]:
    """The one event of a tawk.to webhook."""
    body = read_json(hook.body)
    kind = body.get("event")
    if not isinstance(kind, str) or kind not in KINDS:
        raise Unreadable("unknown_event")
    wanted, named = hook.endpoint.company, text_of(_object(body.get("property")).get("id"), 128)
    if wanted and named and wanted != named:
        raise Misdirected("other_company")
    thing, lead = _ticket(body) if kind == "ticket:create" else _chat(body)
    at = moment_of(body.get("time"))
    return [
        Normalized(
            event_kind=kind,
            vendor_event=text_of(hook.headers.get("x-hook-event-id"), 128) or f"{kind}:{thing}",
            vendor_thing=thing,
            mode=Mode.CHAT,
            lead=lead,
            sequence=micros(at),
            rank=KINDS[kind].rank,
            occurred_at=at,
            fields=body,
            taken=_TAKEN,
        )
    ]


def _chat(body: Mapping[str, Any]) -> tuple[str, LeadDraft]:
    chat = _object(body.get("chat"))
    chat_id = text_of(body.get("chatId"), 128) or text_of(chat.get("id"), 128)
    if chat_id is None:
        raise Unreadable("identity_missing")
    lead = _person(_object(body.get("visitor")) or _object(chat.get("visitor")))
    messages = _messages(chat.get("messages"))
    first = _object(body.get("message"))
    if not messages and (text := text_of(first.get("text"), _MOST_CHARACTERS)):
        by = text_of(_object(first.get("sender")).get("type"), 16) or "visitor"
        messages = [{"by": by, "text": text, "at": moment_of(body.get("time"))}]
    lead["message"] = "\n".join(m["text"] for m in messages if m["by"] == "visitor") or None
    lead["chat"] = {"chat_id": chat_id, "messages": messages}
    return chat_id, lead


def _ticket(body: Mapping[str, Any]) -> tuple[str, LeadDraft]:
    ticket = _object(body.get("ticket"))
    ticket_id = text_of(ticket.get("id"), 128)
    if ticket_id is None:
        raise Unreadable("identity_missing")
    lead = _person(_object(body.get("requester")))
    told = (text_of(ticket.get("subject"), 500), text_of(ticket.get("message"), _MOST_CHARACTERS))
    lead["message"] = "\n".join(filter(None, told)) or None
    return f"ticket:{ticket_id}", lead


def _person(visitor: Mapping[str, Any]) -> LeadDraft:
    name = text_of(visitor.get("name"), 200)
    return {
        "name": None if name is None or _ANONYMOUS.fullmatch(name) else name,
        "email": visitor.get("email"),
        "phone": visitor.get("phone"),
        "city": visitor.get("city"),
        "country": visitor.get("country"),
    }


def _messages(value: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    room = _MOST_CHARACTERS
    for item in (value if isinstance(value, list) else [])[:_MOST_MESSAGES]:
        line = _object(item)
        text = text_of(line.get("msg"), room)
        if text is None or room <= 0:
            continue
        room -= len(text)
        sender = text_of(_object(line.get("sender")).get("t"), 1) or "s"
        found.append({"by": _SENDERS.get(sender, "system"), "text": text, "at": moment_of(line.get("time"))})
    return found


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


SOURCE = Source(
    name="tawk",
    title="tawk.to",
    mode=Mode.CHAT,
    signature=SignatureScheme(header="X-Tawk-Signature", algorithm="sha1", encoding="hex"),
    kinds=KINDS,
    normalize=normalize,
    samples=(
        Sample(
            content_type="application/json",
            received_at=datetime(2026, 3, 2, 15, 14, 23, tzinfo=UTC),
            secret="tawk_secret_1",  # noqa: S106
            headers={"x-tawk-signature": "e4ed18ed4f69a93b12d4f249a0ca0a5427c2ed0d", "x-hook-event-id": "hook-0001"},
            body='{"event":"chat:start","chatId":"70fe3290-0000-11f0-a30a-515671620001","time":"2026-03-02T15:'
            '14:22.646Z","message":{"text":"Need a quote","type":"msg","sender":{"type":"visitor"}},"visi'
            'tor":{"name":"Zoë","email":"zoe@example.test","city":"chicago","country":"US"},"property":{"'
            'id":"58ca8453b8a7e060cd3b0001","name":"Lakeside Roofing"}}'.encode(),
        ),
    ),
)
