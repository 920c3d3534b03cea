"""Traces at the door: one span a webhook, and what is published lies below it."""

from connectors.otlp import OtlpTracing
from gateway.traces import Traces
from tests.parts.collector import collecting
from tests.unit.gateway.house import DeafBus, build_house, lakeside

BODY = b'{"resource_id": "CAL1", "customer_name": "Zoe Marchand", "customer_phone_number": "+13125550142"}'
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


async def test_a_webhook_is_a_span_below_its_callers_and_its_records_lie_below_it() -> None:
    async with collecting() as collector:
        tracing = OtlpTracing.to(collector.endpoint, "gateway", 1.0)
        home = await build_house(lakeside(), tracing=tracing)
        answer = await home.callrail("post_call", BODY, traceparent=f"00-{TRACE}-{CALLER}-01")
        await home.callrail("pre_call", BODY)
        await tracing.close()
    assert answer.status == 202
    first, second = collector.named("POST /v1/hooks/callrail")
    assert (first.service, first.kind, first.trace, first.parent) == ("leadbus.gateway", "server", TRACE, CALLER)
    assert (second.parent, second.trace != TRACE) == ("", True)
    kept = [record.headers for record in home.bus.records]
    assert [headers["traceparent"] for headers in kept] == [f"00-{span.trace}-{span.id}-01" for span in (first, second)]
    told = first.attributes
    assert (told["leadbus.status"], told["leadbus.tenant"]) == ("202", "lakeside")
    assert (told["leadbus.request_id"], told["leadbus.event_id"]) == (kept[0]["request_id"], kept[0]["event_id"])
    assert first.start_ns == int(home.clock.at.timestamp()) * 10**9
    for private in (b"Zoe", b"5550142", b"CAL1"):
        assert private not in b"".join(collector.bodies)


async def test_a_caller_that_wants_no_trace_gets_none_and_its_trace_goes_on() -> None:
    async with collecting() as collector:
        tracing = OtlpTracing.to(collector.endpoint, "gateway", 1.0)
        home = await build_house(lakeside(), tracing=tracing)
        await home.callrail("post_call", BODY, traceparent=f"00-{TRACE}-{CALLER}-00")
        await tracing.close()
    assert collector.spans == []
    [kept] = home.bus.records
    assert kept.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert kept.headers["traceparent"].endswith("-00")


async def test_our_own_trouble_is_an_error_of_the_span_and_a_forged_webhook_makes_none() -> None:
    async with collecting() as collector:
        tracing = OtlpTracing.to(collector.endpoint, "gateway", 1.0)
        home = await build_house(lakeside(), bus=DeafBus(), tracing=tracing)
        assert (await home.callrail("post_call", BODY)).status == 503
        forged = await home.post("callrail", "callrail-endpoint-key-000001", BODY, event="post_call", signature="AAAA")
        assert forged.status == 401
        await tracing.close()
    [span] = collector.spans
    assert (span.error, span.attributes["leadbus.reason"]) == (True, "not_published")


def test_without_a_collector_a_trace_is_begun_or_continued_all_the_same() -> None:
    traces = Traces(lambda size: b"\x5a" * size)
    assert traces.next(None) == f"00-{'5a' * 16}-{'5a' * 8}-01"
    assert traces.next(f"00-{TRACE}-{CALLER}-00") == f"00-{TRACE}-{'5a' * 8}-00"
    assert traces.next("nonsense") == traces.next(None)
