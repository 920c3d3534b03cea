"""CallRail: calls, texts and captured forms, one URL for each kind of webhook because no body names its kind.

Signed with HMAC-SHA1 over the raw body, standard base64, key as text, in `Signature` (CallRail API v3 reference,
Webhooks). No time is signed, and a post-call may come 20 minutes late, so age is no ground to refuse. Bodies are JSON,
for some accounts urlencoded with older names (`callernum`); the query string repeats a few fields and is ignored.

One call is one request: its events carry the same `resource_id` (older bodies: numeric `id`) and are ordered by the
rank of their kind. A modified call may be told of many times, so its event identity adds the body's hash and the
minute of receipt. Outside its own company a body is Misdirected; without an identity it is Unreadable.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.reading.contact import phone_of
from connectors.reading.moments import moment_of
from connectors.reading.names import attribution_of, lead_of
from connectors.reading.text import clean, flag_of, number_of, text_of
from gateway.reading.bodies import read_object
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
from schemas import codec
from schemas.lead import Mode
from schemas.topics import INBOUND_CALLS

KINDS = {
    "pre_call": EventKind(rank=10, interim=True, topic=INBOUND_CALLS),
    "routing_complete": EventKind(rank=20, interim=True, topic=INBOUND_CALLS),
    "post_call": EventKind(rank=30, topic=INBOUND_CALLS),
    "outbound_post_call": EventKind(rank=30, topic=INBOUND_CALLS),
    "call_modified": EventKind(rank=40, topic=INBOUND_CALLS),
    "outbound_modified": EventKind(rank=40, topic=INBOUND_CALLS),
    "text_received": EventKind(rank=10),
    "text_sent": EventKind(rank=10),
    "form_captured": EventKind(rank=10),
}
_MODIFIED = ("call_modified", "outbound_modified")

_CALL_TAKEN = frozenset(
    [
        "resource_id",
        "id",
        "customer_name",
        "callername",
        "customer_phone_number",
        "callernum",
        "customer_city",
        "customer_state",
        "customer_country",
        "direction",
        "answered",
        "voicemail",
        "first_call",
        "duration",
        "recording",
        "recording_duration",
        "tracking_phone_number",
        "trackingnum",
        "tags",
        "note",
        "start_time",
        "timestamp",
        "datetime",
        "spam",
    ]
)
_TEXT_TAKEN = frozenset(
    [
        "resource_id",
        "id",
        "source_number",
        "destination_number",
        "content",
        "timestamp",
        "conversation_id",
        "customer_name",
    ]
)
_FORM_TAKEN = frozenset(("resource_id", "id", "form_data", "submitted_at"))


def normalize(hook: Hook) -> Sequence[Normalized]:
    """The one event of a CallRail webhook."""
    kind = hook.event or ""
    if kind not in KINDS:
        raise Unreadable("unknown_event" if kind else "event_missing")
    fields = read_object(hook.body, hook.content_type)
    _check_company(fields, hook.endpoint.company)
    thing = text_of(fields.get("resource_id"), 128) or text_of(fields.get("id"), 128)
    if thing is None:
        raise Unreadable("identity_missing")
    event = f"{kind}:{thing}"
    if kind in _MODIFIED:
        event += f":{codec.sha256(hook.body)}:{hook.received_at.astimezone(UTC):%Y%m%d%H%M}"
    read = _form if kind == "form_captured" else _text if kind.startswith("text_") else _call
    mode, lead, occurred_at, tree, taken = read(kind, thing, fields)
    lead["attribution"], used = attribution_of(fields)
    return [
        Normalized(
            event_kind=kind,
            vendor_event=event,
            vendor_thing=thing,
            mode=mode,
            lead=lead,
            rank=KINDS[kind].rank,
            interim=KINDS[kind].interim,
            topic=KINDS[kind].topic,
            occurred_at=occurred_at,
            fields=tree,
            taken=taken | used,
        )
    ]


_Read = tuple[Mode, LeadDraft, datetime | None, Mapping[str, Any], frozenset[str]]


def _check_company(fields: Mapping[str, Any], company: str | None) -> None:
    """`company_id` may be numeric while `company_resource_id` is COM…; the tenant may have configured either."""
    named = {text_of(fields.get(name), 128) for name in ("company_resource_id", "company_id")} - {None}
    if company and named and company not in named:
        raise Misdirected("other_company")


def _call(kind: str, thing: str, fields: Mapping[str, Any]) -> _Read:
    started = moment_of(fields.get("start_time")) or moment_of(fields.get("datetime"))
    occurred = started or moment_of(fields.get("timestamp"))
    call = {
        "call_id": thing,
        "direction": text_of(fields.get("direction"), 16) or ("outbound" if kind.startswith("outbound") else "inbound"),
        **{name: flag_of(fields.get(name)) for name in ("answered", "voicemail", "first_call", "spam")},
        "duration_seconds": number_of(fields.get("duration")),
        "recording_url": text_of(fields.get("recording")),
        "tracking_number": _number(fields, "tracking_phone_number", "trackingnum"),
        "tags": _tags(fields.get("tags")),
        "note": text_of(fields.get("note")),
        "started_at": started,
    }
    lead: LeadDraft = {
        "name": fields.get("customer_name") or fields.get("callername"),
        "phone": fields.get("customer_phone_number") or fields.get("callernum"),
        "city": fields.get("customer_city"),
        "region": fields.get("customer_state"),
        "country": fields.get("customer_country"),
        "call": {name: value for name, value in call.items() if value is not None},
    }
    return Mode.PHONE_CALL, lead, occurred, fields, _CALL_TAKEN


def _text(kind: str, thing: str, fields: Mapping[str, Any]) -> _Read:
    """A text message: the person is who sent it, or whom it was sent to."""
    received = kind == "text_received"
    theirs, ours = ("source_number", "destination_number") if received else ("destination_number", "source_number")
    at = moment_of(fields.get("timestamp"))
    content = text_of(fields.get("content"), 20_000)
    call = {
        "call_id": thing,
        "direction": "inbound" if received else "outbound",
        "tracking_number": _number(fields, ours),
        "started_at": at,
    }
    lead: LeadDraft = {
        "name": fields.get("customer_name"),
        "phone": fields.get(theirs),
        "message": content,
        "call": {name: value for name, value in call.items() if value is not None},
        "chat": {
            "chat_id": text_of(fields.get("conversation_id"), 128) or thing,
            "messages": [{"by": "visitor" if received else "agent", "text": content, "at": at}] if content else [],
        },
    }
    return Mode.CHAT, lead, at, fields, _TEXT_TAKEN


def _form(kind: str, thing: str, fields: Mapping[str, Any]) -> _Read:
    """A form on the tenant's site that CallRail watched; `form_data` holds the site's own field names."""
    data = fields.get("form_data")
    data = data if isinstance(data, dict) else {}
    lead, used = lead_of(data)
    tree = {**{name: value for name, value in fields.items() if name != "form_data"}, **data, "form_data": data}
    return Mode.FORM, lead, moment_of(fields.get("submitted_at")), tree, _FORM_TAKEN | used


def _number(fields: Mapping[str, Any], *names: str) -> str | None:
    for name in names:
        if written := text_of(fields.get(name), 64):
            return phone_of(written) or written
    return None


def _tags(value: Any) -> list[str] | None:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list):
        return None
    return [text for item in items[:100] if isinstance(item, str) and (text := clean(item, 100))]


_SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"  # noqa: S105
_AT = datetime(2026, 3, 2, 15, 15, tzinfo=UTC)


def _sample(event: str, signature: str, body: bytes) -> Sample:
    kind = "application/json" if body.startswith(b"{") else "application/x-www-form-urlencoded"
    return Sample(body, kind, _AT, event=event, headers={"signature": signature}, secret=_SECRET)


SOURCE = Source(
    name="callrail",
    title="CallRail",
    mode=Mode.PHONE_CALL,
    signature=SignatureScheme(header="Signature", algorithm="sha1", encoding="base64"),
    kinds=KINDS,
    normalize=normalize,
    samples=(
        _sample(
            "post_call",
            "4JEqf5iMcsc9/SZZFWlcxBtfdTs=",
            b'{"resource_id":"CAL5f0c2b7e9a1d4c3f8e6b7a2d1c0f9e8d","company_id":480112233,"company_resourc'
            b'e_id":"COM1b2c3d4e5f60718293a4b5c6d7e8f901","direction":"inbound","call_type":"voicemail","a'
            b'nswered":false,"voicemail":true,"duration":"41","recording_duration":33,"customer_name":"ZOE'
            b' MARCHAND","customer_phone_number":"+13125550142","customer_state":"IL","tracking_phone_numb'
            b'er":"+13125550199","source_name":"Google Ads","utm_medium":"cpc","gclid":"Cj0test","first_ca'
            b'll":true,"tags":[],"lead_status":null,"start_time":"2026-03-02T09:14:22.104-06:00","recordin'
            b'g":"https://api.callrail.com/v3/a/ACC0a1b/calls/CAL5f0c2b7e9a1d4c3f8e6b7a2d1c0f9e8d/recordin'
            b'g.json","timestamp":"2026-03-02T09:14:22.104-06:00"}',
        ),
        _sample(
            "post_call",
            "xkLBenqCqwGDt5qT/bD0y3kv6G8=",
            b"resource_id=CAL5f0c2b7e9a1d4c3f8e6b7a2d1c0f9e8d&company_id=480112233&answered=false&voicemail=true&dur"
            b"ation=41&callernum=%2B13125550142&callername=ZOE+MARCHAND&timestamp=2026-03-02T09%3A14%3A22.104-06%3A00",
        ),
        _sample(
            "text_received",
            "47ZnFf/Xpzn0YTC/NFp9HmAsbek=",
            b'{"id":90112,"resource_id":"SCI77aa","source_number":"312-555-0142","destination_number":"312'
            b'-555-0199","content":"Can you come Tuesday?","message_type":"mms","media_urls":["https://med'
            b'ia.example.test/1.jpg"],"timestamp":"2026-03-02T09:20:01.000-06:00","lead_status":null,"conv'
            b'ersation_id":"k8TzQ","company_resource_id":"COM1b2c","person_resource_id":"PER9d8e"}',
        ),
        _sample(
            "form_captured",
            "MP42Vqho9kRh7WDQB9xVu8rK4ys=",
            b'{"resource_id":"FRMtest01","company_id":480112233,"form_data":{"your-name":"Zoe Marchand","p'
            b'hone":"(312) 555-0142"},"form_url":"https://lakeside.example.test/quote","landing_page_url":'
            b'"https://lakeside.example.test/?utm_source=google","referrer":"google.com","referring_url":"'
            b'https://www.google.com/","submitted_at":"2026-03-02T09:30:11.000-06:00","first_form":true,"s'
            b'ource":"Google Ads","utm_source":"google"}',
        ),
    ),
)
