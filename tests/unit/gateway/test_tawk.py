"""tawk.to's chats and tickets as they become events."""

import hmac
from typing import Any

import pytest

from gateway.problems import Answer
from schemas import codec
from tests.unit.gateway.house import SECRETS, TAWK_KEY, House, build_house, lakeside

PROPERTY = {"id": "58ca8453b8a7e060cd3b0001", "name": "Lakeside Roofing"}


async def post(home: House, hook: str = "h1", **body: Any) -> Answer:
    raw = codec.dumps({"property": PROPERTY, "time": "2026-03-02T15:14:22.646Z", **body})
    signature = hmac.digest(SECRETS["secret://TAWK"].encode(), raw, "sha1").hex()
    return await home.post("tawk", TAWK_KEY, raw, x_tawk_signature=signature, x_hook_event_id=hook)


async def test_a_chat_is_one_request_from_start_to_transcript() -> None:
    home = await build_house(lakeside())
    visitor = {"name": "Zoë", "email": "zoe@example.test"}
    lines = [
        {"sender": {"t": "v"}, "type": "msg", "msg": "Need a quote", "time": "2026-03-02T15:14:22Z"},
        {"sender": {"t": "a", "n": "Sam"}, "type": "msg", "msg": "Which roof?", "time": "2026-03-02T15:14:40Z"},
        {"sender": {"t": "v"}, "type": "msg", "msg": "The garage", "time": "2026-03-02T15:14:50Z"},
    ]
    transcript = {"id": "c1", "visitor": visitor, "messages": lines}
    await post(home, "h3", event="chat:transcript_created", time="2026-03-02T15:20:01Z", chat=transcript)
    await post(home, "h1", event="chat:start", chatId="c1", visitor=visitor, message={"text": "Need a quote"})
    await post(home, "h2", event="chat:end", chatId="c1", visitor=visitor, time="2026-03-02T15:20:00Z")
    documents = sorted((kept.document for kept in home.bus.records), key=lambda d: d.envelope.revision.key())
    assert [d.envelope.event_kind for d in documents] == ["chat:start", "chat:end", "chat:transcript_created"]
    assert len({d.envelope.request_id for d in documents}) == 1
    assert documents[0].lead.message == "Need a quote"
    assert documents[2].lead.message == "Need a quote\nThe garage"
    assert documents[2].lead.chat is not None
    assert [m.by for m in documents[2].lead.chat.messages] == ["visitor", "agent", "visitor"]


async def test_the_hook_id_makes_a_retry_the_same_event() -> None:
    home = await build_house(lakeside())
    for hook in ("h1", "h1", "h2"):
        await post(home, hook, event="chat:end", chatId="c1")
    first, retry, other = (kept.document.envelope.event_id for kept in home.bus.records)
    assert first == retry != other


@pytest.mark.parametrize(
    ("name", "told"), [("V1712345678901234", None), ("Vera", "Vera"), ("V2 Roofing", "V2 Roofing")]
)
async def test_an_anonymous_visitor_has_no_name(name: str, told: str | None) -> None:
    home = await build_house(lakeside())
    await post(home, event="chat:start", chatId="c1", visitor={"name": name})
    assert home.last.lead.name == told


async def test_a_ticket_is_a_request_of_its_own() -> None:
    home = await build_house(lakeside())
    await post(
        home,
        event="ticket:create",
        ticket={"id": "t1", "humanId": 7, "subject": "Leak", "message": "In the attic"},
        requester={"name": "Zoë", "email": "zoe@Example.TEST"},
    )
    assert home.last.lead.message == "Leak\nIn the attic"
    assert home.last.lead.email == "zoe@example.test"


async def test_another_property_is_refused() -> None:
    home = await build_house(lakeside())
    answer = await post(home, event="chat:start", chatId="c1", property={"id": "58ca8453b8a7e060cd3b0002"})
    assert answer.status == 403
    assert home.bus.records == []
