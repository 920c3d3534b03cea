"""Who is let in, what is published, and what is answered."""

import asyncio

import pytest

from gateway.problems import Answer
from schemas import codec
from tests.unit.gateway.house import (
    CALLRAIL_KEY,
    FORM_KEY,
    Bus,
    DeafBus,
    HeldBus,
    build_house,
    bundle,
    callrail_signature,
    endpoint,
    lakeside,
)

BODY = b'{"resource_id":"CAL1","customer_name":"Zoe Marchand","customer_phone_number":"+13125550142"}'
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (callrail_signature(BODY, "another key"), "signature_wrong"),
        (callrail_signature(BODY + b" "), "signature_wrong"),
        (callrail_signature(BODY)[:-4], "signature_malformed"),
        ("not base64", "signature_malformed"),
        ("€", "signature_malformed"),
        ("", "signature_missing"),
    ],
)
async def test_a_wrong_signature_is_refused_and_nothing_is_published(signature: str, reason: str) -> None:
    home = await build_house(lakeside())
    answer = await home.post("callrail", CALLRAIL_KEY, BODY, event="post_call", signature=signature)
    assert (answer.status, answer.reason) == (401, reason)
    assert home.bus.records == []
    assert home.metric("leadbus_gateway_refused_total", source="callrail", reason=reason) == 1
    assert home.metric("leadbus_gateway_accepted_total", source="callrail") == 0


async def test_either_of_two_live_secrets_is_good() -> None:
    both = ["secret://NEW", "secret://OLD"]
    home = await build_house(
        bundle(endpoint("callrail", CALLRAIL_KEY, secrets=both)), secrets={"secret://NEW": "n", "secret://OLD": "o"}
    )
    for secret, status in (("n", 202), ("o", 202), ("x", 401)):
        signature = callrail_signature(BODY, secret)
        answer = await home.post("callrail", CALLRAIL_KEY, BODY, event="post_call", signature=signature)
        assert answer.status == status


async def test_an_endpoint_without_a_secret_lets_nobody_in() -> None:
    home = await build_house(bundle(endpoint("callrail", CALLRAIL_KEY)))
    answer = await home.post("callrail", CALLRAIL_KEY, BODY, event="post_call", signature=callrail_signature(BODY, ""))
    assert answer.status == 401


async def test_a_secret_out_of_reach_is_our_trouble_not_the_vendors() -> None:
    home = await build_house(lakeside(), secrets={})
    answer = await home.callrail("post_call", BODY)
    assert answer.status == 503
    assert "retry-after" in dict(answer.headers)


@pytest.mark.parametrize(
    ("source", "key"),
    [("callrail", "no-such-key"), ("form", CALLRAIL_KEY), ("no-such-source", CALLRAIL_KEY), ("callrail", "x" * 5000)],
)
async def test_unknown_keys_and_wrong_sources_read_alike(source: str, key: str) -> None:
    home = await build_house(lakeside())
    answer = await home.post(source, key, BODY)
    assert (answer.status, answer.body) == (404, (await home.post("callrail", "other", b"")).body)


async def test_a_disabled_endpoint_is_not_there_and_a_suspended_tenant_is_told() -> None:
    home = await build_house(
        bundle(endpoint("form", FORM_KEY, enabled=False)),
        bundle(endpoint("form", "key-of-the-other"), tenant="other", status="suspended"),
    )
    assert (await home.post("form", FORM_KEY, b"name=Zoe")).status == 404
    assert (await home.post("form", "key-of-the-other", b"name=Zoe")).status == 403


async def test_without_an_acknowledgement_there_is_no_202() -> None:
    home = await build_house(lakeside(), bus=DeafBus())
    answer = await home.callrail("post_call", BODY)
    assert answer.status == 503
    assert dict(answer.headers)["retry-after"] == "5"
    assert home.metric("leadbus_gateway_accepted_total", source="callrail") == 0


async def test_the_answer_waits_for_the_acknowledgement() -> None:
    bus = HeldBus()
    home = await build_house(lakeside(), bus=bus)
    posting = asyncio.create_task(home.callrail("post_call", BODY))
    await bus.asked.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not posting.done()
    bus.acknowledge.set()
    assert (await posting).status == 202


async def test_a_record_that_no_topic_takes_is_413() -> None:
    bus = Bus()
    bus.largest = 10
    home = await build_house(lakeside(), bus=bus)
    assert (await home.callrail("post_call", BODY)).status == 413


async def test_an_authentic_body_that_cannot_be_read_is_kept_whole() -> None:
    home = await build_house(lakeside())
    for body in (b"{not json", b"\xff\xfe\x00", b""):
        assert (await home.callrail("post_call", body)).status == 202
        document = home.last
        assert document.unparsed is not None
        assert document.envelope.event_kind == "post_call"
        assert document.raw.size == len(body)
    assert len({kept.document.envelope.request_id for kept in home.bus.records}) == 3
    assert {kept.topic for kept in home.bus.records} == {"inbound.messages"}


async def test_the_answer_names_the_request_and_the_trace_goes_on() -> None:
    home = await build_house(lakeside())
    answer = await home.callrail("post_call", BODY, traceparent=TRACE)
    [kept] = home.bus.records
    assert codec.loads(answer.body) == {"request_ids": [kept.headers["request_id"]]}
    assert kept.headers["traceparent"] == "00-0af7651916cd43dd8448eb211c80319c-5a5a5a5a5a5a5a5a-01"
    assert kept.headers["tenant"] == "lakeside"
    await home.callrail("post_call", BODY, traceparent=TRACE.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32))
    assert home.bus.records[-1].headers["traceparent"].startswith("00-5a5a")


async def test_a_test_endpoint_marks_its_leads() -> None:
    home = await build_house(bundle(endpoint("form", FORM_KEY, test=True)))
    await home.post("form", FORM_KEY, b"name=Zoe")
    assert home.last.envelope.test is True
    assert home.bus.records[0].headers["test"] == "1"


async def test_logs_hold_nothing_personal_and_nothing_secret() -> None:
    home = await build_house(lakeside())
    for answer in (
        await home.callrail("post_call", BODY),
        await home.callrail("unheard", BODY),
        await home.callrail("post_call", b"Zoe Marchand {"),
        await home.post("callrail", CALLRAIL_KEY, BODY, signature=callrail_signature(BODY, "wrong")),
        await home.post("form", FORM_KEY, b""),
    ):
        assert isinstance(answer, Answer)
    written = home.log.getvalue()
    assert '"endpoint": "callrail-1"' in written
    for secret in ("Zoe", "3125550142", CALLRAIL_KEY, FORM_KEY, "0f1e2d3c", callrail_signature(BODY), "CAL1"):
        assert secret not in written
