"""CallRail's calls, texts and forms as they become events."""

from urllib.parse import urlencode

import pytest

from gateway.sources.callrail import SOURCE
from schemas import codec
from schemas.lead import Mode
from tests.unit.gateway.house import (
    CALLRAIL_KEY,
    NOON,
    House,
    build_house,
    bundle,
    callrail_signature,
    endpoint,
    lakeside,
)

POST_CALL, LEGACY, TEXT, FORM = SOURCE.samples
CALL = {"resource_id": "CAL1", "customer_phone_number": "+13125550142", "start_time": "2026-03-02T09:14:22.104-06:00"}


def call(**more: object) -> bytes:
    return codec.dumps({**CALL, **more})


async def house() -> House:
    return await build_house(lakeside())


async def test_a_post_call_tells_caller_call_and_origin() -> None:
    home = await house()
    assert (await home.callrail("post_call", POST_CALL.body)).status == 202
    [kept] = home.bus.records
    document = kept.document
    lead, about = document.lead, document.lead.call
    assert kept.topic == "inbound.calls"
    assert document.envelope.mode is Mode.PHONE_CALL
    assert document.envelope.occurred_at is not None
    assert document.envelope.occurred_at.isoformat() == "2026-03-02T15:14:22.104000+00:00"
    assert (lead.name, lead.phone, lead.region) == ("ZOE MARCHAND", "+13125550142", "IL")
    assert about is not None
    assert (about.call_id, about.direction) == ("CAL5f0c2b7e9a1d4c3f8e6b7a2d1c0f9e8d", "inbound")
    assert (about.answered, about.voicemail, about.first_call, about.duration_seconds) == (False, True, True, 41.0)
    assert about.recording_url is not None
    assert about.recording_url.endswith("/recording.json")
    assert (lead.attribution.medium, lead.attribution.click_id) == ("cpc", "Cj0test")
    assert lead.extra["source_name"] == "Google Ads"
    assert document.raw.body == POST_CALL.body.decode()


async def test_the_urlencoded_form_with_old_names_is_the_same_call() -> None:
    home = await house()
    await home.callrail("post_call", POST_CALL.body)
    await home.callrail("post_call", LEGACY.body, content_type=LEGACY.content_type)
    json_one, old_one = (kept.document for kept in home.bus.records)
    assert old_one.envelope.event_id == json_one.envelope.event_id
    assert old_one.envelope.contact_id == json_one.envelope.contact_id
    assert (old_one.lead.name, old_one.lead.phone) == ("ZOE MARCHAND", "+13125550142")
    assert old_one.lead.call is not None
    assert (old_one.lead.call.answered, old_one.lead.call.voicemail) == (False, True)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
async def test_revisions_follow_the_course_of_the_call_whatever_the_order_of_arrival(order: tuple[int, ...]) -> None:
    home = await house()
    kinds = ("pre_call", "routing_complete", "post_call", "call_modified")
    for index in order:
        await home.callrail(kinds[index], call(duration=index))
        home.clock.forward(3)
    documents = [kept.document for kept in home.bus.records]
    assert len({d.envelope.request_id for d in documents}) == 1
    assert len({d.envelope.event_id for d in documents}) == 4
    by_revision = sorted(documents, key=lambda d: d.envelope.revision.key())
    assert tuple(d.envelope.event_kind for d in by_revision) == kinds
    assert [d.envelope.interim for d in by_revision] == [True, True, False, False]


async def test_a_call_modified_twice_is_two_events_and_sent_twice_is_one() -> None:
    home = await house()
    for note in ("first", "first", "second"):
        await home.callrail("call_modified", call(note=note))
    first, again, second = (kept.document.envelope.event_id for kept in home.bus.records)
    assert first == again != second


async def test_the_same_caller_twice_is_one_contact_with_two_requests() -> None:
    home = await house()
    await home.callrail("post_call", call(resource_id="CAL1"))
    await home.callrail("post_call", call(resource_id="CAL2", customer_phone_number="(312) 555-0142"))
    first, second = (kept.document.envelope for kept in home.bus.records)
    assert first.contact_id == second.contact_id
    assert first.request_id != second.request_id


async def test_a_text_is_a_message_from_who_sent_it() -> None:
    home = await house()
    await home.callrail("text_received", TEXT.body)
    await home.callrail("text_sent", TEXT.body)
    received, sent = home.bus.records
    assert received.topic == sent.topic == "inbound.messages"
    assert received.document.lead.phone == "+13125550142"
    assert received.document.lead.message == "Can you come Tuesday?"
    assert sent.document.lead.phone == "+13125550199"
    assert sent.document.lead.call is not None
    assert sent.document.lead.call.direction == "outbound"


async def test_a_captured_form_is_read_by_its_own_field_names() -> None:
    home = await house()
    await home.callrail("form_captured", FORM.body)
    lead = home.last.lead
    assert (lead.name, lead.phone) == ("Zoe Marchand", "+13125550142")
    assert (lead.attribution.source, lead.attribution.referrer) == ("google", "https://www.google.com/")
    assert home.bus.records[-1].topic == "inbound.messages"


@pytest.mark.parametrize(("company", "status"), [("COM1", 202), ("480112233", 202), ("COM2", 403), (None, 202)])
async def test_a_body_of_another_company_is_refused(company: str | None, status: int) -> None:
    home = await build_house(bundle(endpoint("callrail", CALLRAIL_KEY, secrets=["secret://CALLRAIL"], company=company)))
    body = call(company_id=480112233, company_resource_id="COM1")
    assert (await home.callrail("post_call", body)).status == status
    assert len(home.bus.records) == (status == 202)


async def test_a_numeric_id_serves_where_there_is_no_resource_id_and_a_lossy_one_does_not() -> None:
    home = await house()
    await home.callrail("post_call", b'{"id":90112}')
    await home.callrail("post_call", urlencode({"id": "90112"}).encode(), content_type=LEGACY.content_type)
    await home.callrail("post_call", b'{"id":12345678901234567890123456}')
    as_number, as_text, lossy = (kept.document for kept in home.bus.records)
    assert as_number.envelope.request_id == as_text.envelope.request_id
    assert lossy.unparsed is not None
    assert lossy.unparsed.reason == "identity_missing"


@pytest.mark.parametrize(("event", "reason"), [("voice_assist", "unknown_event"), (None, "event_missing")])
async def test_an_unknown_kind_is_kept_unparsed(event: str | None, reason: str) -> None:
    home = await house()
    body = call()
    answer = await home.post("callrail", CALLRAIL_KEY, body, event=event, signature=callrail_signature(body))
    assert answer.status == 202
    document = home.last
    assert document.unparsed is not None
    assert document.unparsed.reason == reason
    assert document.envelope.event_kind == "unknown"
    assert document.raw.body == body.decode()
    assert document.envelope.received_at == NOON
