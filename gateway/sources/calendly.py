"""Calendly: bookings, their cancellation, rescheduling and no-shows.

Signed with HMAC-SHA256 over `t`, a dot and the raw body, hex under `v1` in `Calendly-Webhook-Signature`, at most
three minutes old (Calendly Developer, Webhook Signatures). The body names its event, so the URL needs no segment.

One invitee is one request. A reschedule is two events, in either order: the old invitee is canceled, and the new one
is a new request that `replaces` the old. Events of a request are ordered by the envelope's `created_at`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.reading.moments import micros, moment_of
from connectors.reading.names import attribution_of
from connectors.reading.text import text_of
from gateway.reading.bodies import read_json
from gateway.sources.seam import EventKind, Hook, LeadDraft, Normalized, Sample, SignatureScheme, Source, Unreadable
from schemas.lead import Mode

KINDS = {
    "invitee.created": EventKind(rank=10),
    "invitee.canceled": EventKind(rank=20),
    "invitee_no_show.created": EventKind(rank=30),
    "invitee_no_show.deleted": EventKind(rank=40),
}
_STATUS = {
    "invitee.created": "scheduled",
    "invitee.canceled": "canceled",
    "invitee_no_show.created": "no_show",
    "invitee_no_show.deleted": "scheduled",
}
_TAKEN = frozenset(
    [
        "uri",
        "email",
        "name",
        "first_name",
        "last_name",
        "text_reminder_number",
        "timezone",
        "status",
        "tracking",
        "scheduled_event",
        "questions_and_answers",
        "cancellation",
        "rescheduled",
        "old_invitee",
        "new_invitee",
        "event",
    ]
)


def normalize(hook: Hook) -> Sequence[Normalized]:
    """The one event of a Calendly webhook."""
    body = read_json(hook.body)
    kind, payload = body.get("event"), body.get("payload")
    if not isinstance(kind, str) or kind not in KINDS:
        raise Unreadable("unknown_event")
    if not isinstance(payload, dict):
        raise Unreadable("payload_missing")
    invitee = text_of(payload.get("invitee") if kind.startswith("invitee_no_show") else payload.get("uri"), 500)
    if invitee is None:
        raise Unreadable("identity_missing")
    created_at = moment_of(body.get("created_at"))
    answers = _answers(payload.get("questions_and_answers"))
    lead: LeadDraft = {
        "name": payload.get("name"),
        "first_name": payload.get("first_name"),
        "last_name": payload.get("last_name"),
        "email": payload.get("email"),
        "phone": payload.get("text_reminder_number"),
        "message": "\n".join(f"{question}: {answer}" for question, answer in answers.items()) or None,
        "booking": _booking(kind, invitee, payload),
    }
    lead["attribution"], _ = attribution_of(_object(payload.get("tracking")))
    return [
        Normalized(
            event_kind=kind,
            vendor_event=f"{kind}:{text_of(payload.get('uri'), 500) or invitee}",
            vendor_thing=invitee,
            mode=Mode.CALENDAR,
            lead=lead,
            sequence=micros(created_at),
            rank=KINDS[kind].rank,
            occurred_at=created_at,
            replaces=text_of(payload.get("old_invitee"), 500) if kind == "invitee.created" else None,
            fields={**payload, "answers": answers},
            taken=_TAKEN,
        )
    ]


def _booking(kind: str, invitee: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    slot = _object(payload.get("scheduled_event"))
    booking = {
        "booking_id": invitee,
        "status": _STATUS[kind],
        "title": text_of(slot.get("name"), 300),
        "starts_at": moment_of(slot.get("start_time")),
        "ends_at": moment_of(slot.get("end_time")),
        "time_zone": text_of(payload.get("timezone"), 64),
        "cancel_reason": text_of(_object(payload.get("cancellation")).get("reason")),
    }
    return {name: value for name, value in booking.items() if value is not None}


def _answers(value: Any) -> dict[str, str]:
    """Question to answer. Marks at the end of a question are dropped, so that a path can name it."""
    found: dict[str, str] = {}
    for item in (value if isinstance(value, list) else [])[:50]:
        question, answer = text_of(_object(item).get("question"), 200), text_of(_object(item).get("answer"), 2_000)
        if question and answer:
            found.setdefault(question.rstrip(" ?!.:*"), answer)
    return found


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


SOURCE = Source(
    name="calendly",
    title="Calendly",
    mode=Mode.CALENDAR,
    signature=SignatureScheme(
        header="Calendly-Webhook-Signature",
        algorithm="sha256",
        encoding="hex",
        template="{pair:t}.{body}",
        digest_pair="v1",
        timestamp="pair:t",
        tolerance_seconds=180,
    ),
    kinds=KINDS,
    normalize=normalize,
    samples=(
        Sample(
            content_type="application/json",
            received_at=datetime(2026, 3, 2, 15, 14, 24, tzinfo=UTC),
            secret="cal_signing_key_1",  # noqa: S106
            headers={
                "calendly-webhook-signature": "t=1772464463,"
                "v1=40f05c7ceb55e238e09b013a6434197797c0bd67b2118c76355d6f3295ce9612"
            },
            body=b'{"event":"invitee.created","created_at":"2026-03-02T15:14:22.000000Z","created_by":"https://'
            b'api.calendly.com/users/UAAA","payload":{"uri":"https://api.calendly.com/scheduled_events/EV1'
            b'/invitees/IN1","email":"zoe@example.test","name":"Zoe Marchand","first_name":null,"last_name'
            b'":null,"status":"active","timezone":"America/Chicago","event":"https://api.calendly.com/sche'
            b'duled_events/EV1","text_reminder_number":"+13125550142","rescheduled":false,"old_invitee":nu'
            b'll,"new_invitee":null,"questions_and_answers":[{"question":"Address?","answer":"12 Elm St","'
            b'position":0}],"tracking":{"utm_source":"google","utm_campaign":null,"utm_medium":null,"utm_c'
            b'ontent":null,"utm_term":null,"salesforce_uuid":null},"scheduled_event":{"uri":"https://api.c'
            b'alendly.com/scheduled_events/EV1","name":"Site visit","start_time":"2026-03-04T16:00:00.0000'
            b'00Z","end_time":"2026-03-04T16:30:00.000000Z"}}}',
        ),
    ),
)
