"""Calendly's bookings as they become events."""

from typing import Any

import pytest

from gateway.sources.calendly import SOURCE
from schemas import codec, identity
from schemas.documents import Inbound
from tests.unit.gateway.house import CALENDLY_KEY, SECRETS, House, build_house, lakeside, sign

OLD = "https://api.calendly.com/scheduled_events/EV1/invitees/IN1"
NEW = "https://api.calendly.com/scheduled_events/EV2/invitees/IN2"


def event(kind: str, created_at: str = "2026-03-02T15:14:22.000000Z", **payload: Any) -> bytes:
    person = {"email": "zoe@example.test", "name": "Zoe Marchand", **payload}
    return codec.dumps({"event": kind, "created_at": created_at, "payload": person})


async def post(home: House, body: bytes) -> Inbound:
    assert SOURCE.signature is not None
    signature = sign(SOURCE.signature, body, SECRETS["secret://CALENDLY"], home.clock())
    answer = await home.post("calendly", CALENDLY_KEY, body, calendly_webhook_signature=signature)
    assert answer.status == 202
    return home.last


async def test_a_booking_tells_person_slot_and_answers() -> None:
    home = await build_house(lakeside())
    document = await post(home, SOURCE.samples[0].body)
    lead, booking = document.lead, document.lead.booking
    assert (lead.name, lead.email, lead.phone) == ("Zoe Marchand", "zoe@example.test", "+13125550142")
    assert lead.message == "Address: 12 Elm St"
    assert lead.attribution.source == "google"
    assert booking is not None
    assert (booking.status, booking.title, booking.time_zone) == ("scheduled", "Site visit", "America/Chicago")
    assert booking.starts_at is not None
    assert booking.starts_at.isoformat() == "2026-03-04T16:00:00+00:00"


@pytest.mark.parametrize("created_first", [True, False])
async def test_a_reschedule_is_a_new_request_that_replaces_the_old(created_first: bool) -> None:
    home = await build_house(lakeside())
    created = event("invitee.created", uri=NEW, old_invitee=OLD)
    canceled = event("invitee.canceled", uri=OLD, rescheduled=True, new_invitee=NEW)
    for body in (created, canceled) if created_first else (canceled, created):
        await post(home, body)
    by_kind = {kept.document.envelope.event_kind: kept.document for kept in home.bus.records}
    old, new = by_kind["invitee.canceled"].envelope, by_kind["invitee.created"].envelope
    assert old.request_id == identity.request_id("lakeside", "calendly", OLD)
    assert new.replaces == old.request_id != new.request_id
    assert old.replaces is None
    booking = by_kind["invitee.canceled"].lead.booking
    assert booking is not None
    assert booking.status == "canceled"


async def test_a_no_show_is_about_the_invitee() -> None:
    home = await build_house(lakeside())
    booked = await post(home, event("invitee.created", uri=OLD))
    missed = await post(
        home,
        event(
            "invitee_no_show.created", "2026-03-04T17:00:00Z", uri="https://api.calendly.com/no_shows/N1", invitee=OLD
        ),
    )
    assert missed.envelope.request_id == booked.envelope.request_id
    assert missed.envelope.revision.key() > booked.envelope.revision.key()


@pytest.mark.parametrize(("seconds", "status"), [(179, 202), (-179, 202), (181, 401), (-181, 401), (86_400, 401)])
async def test_a_signature_is_good_for_three_minutes(seconds: int, status: int) -> None:
    home = await build_house(lakeside())
    assert SOURCE.signature is not None
    body = event("invitee.created", uri=OLD)
    signature = sign(SOURCE.signature, body, SECRETS["secret://CALENDLY"], home.clock())
    home.clock.forward(seconds)
    answer = await home.post("calendly", CALENDLY_KEY, body, calendly_webhook_signature=signature)
    assert answer.status == status
    assert len(home.bus.records) == (status == 202)


async def test_an_event_of_the_future_is_kept_unparsed() -> None:
    home = await build_house(lakeside())
    document = await post(home, event("routing_form_submission.created", uri=OLD))
    assert document.unparsed is not None
    assert document.unparsed.reason == "unknown_event"
