"""One call, seen as one trace: from the webhook through every daemon to the CRM."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from ops.demo.day import ROOFING, Day
from ops.demo.posting import post_all
from ops.stack.house import House
from tests.e2e.conftest import embedded_plan
from tests.parts.collector import Span, collecting

pytestmark = pytest.mark.slow

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GATEWAY, CALLS = "leadbus.gateway", "POST /v1/hooks/callrail"


def below(spans: Sequence[Span], span: Span) -> list[Span]:
    return [other for other in spans if other.parent == span.id]


async def test_a_call_is_one_trace_from_the_webhook_to_the_crm(tmp_path: Path) -> None:
    async with collecting() as collector:
        plan = replace(embedded_plan(tmp_path), env={"LEADBUS_OTLP_ENDPOINT": collector.endpoint})
        async with House(plan) as house:
            await house.start()
            day = Day(house.sandbox["callrail"], datetime.now(UTC))
            [call] = day.call(
                ROOFING, "traced", "Karen Whitfield", "+13125550142", recording="roof-leak", events=("post_call",)
            )
            async with aiohttp.ClientSession() as http:
                for call_id, name in day.recordings.items():
                    told = {"call_id": call_id, "name": name}
                    (await http.post(f"{house.sandbox['control']}/recordings", json=told)).raise_for_status()
            traced = replace(call, headers={**call.headers, "traceparent": f"00-{TRACE}-{CALLER}-01"})
            unkept = replace(call, headers={**call.headers, "traceparent": f"00-{'1' * 32}-{CALLER}-00"})
            [answer] = await post_all(house.gateway_url, [traced])
            assert answer.status == 202
            await collector.until(
                lambda spans: (
                    any(s.service == "leadbus.delivery" and s.name.startswith("crm.hubspot") for s in spans)
                    and any(s.name == "outcomes process" for s in spans)
                    # Either phase may reach the CRM first.
                    and any(s.service == "leadbus.routing" and s.name == "analyzed process" for s in spans)
                )
            )
            assert (await post_all(house.gateway_url, [unkept]))[0].status == 202
        # Everything has been stopped, so everything has been sent.
    spans = collector.spans
    assert {span.trace for span in spans} == {TRACE}, "one trace, and none for the caller that wants none"
    by_id = {span.id: span for span in spans}
    [entry] = [span for span in spans if span.service == GATEWAY]
    assert (entry.name, entry.kind, entry.parent) == (CALLS, "server", CALLER)
    assert entry.attributes["leadbus.status"] == "202"
    assert entry.attributes["leadbus.request_id"] == answer.request_ids[0]

    orphans = [span for span in spans if span is not entry and span.parent not in by_id]
    assert orphans == []
    crm = next(span for span in spans if span.service == "leadbus.delivery" and span.name.startswith("crm.hubspot"))
    way = [crm]
    while way[-1].parent != CALLER:
        way.append(by_id[way[-1].parent])
    path = [(span.service.removeprefix("leadbus."), span.name) for span in reversed(way)]
    assert path[0] == ("gateway", CALLS)
    assert path[-2] == ("delivery", "deliver.hubspot process")
    every = {(span.service.removeprefix("leadbus."), span.name) for span in spans}
    assert {
        ("transcription", "inbound.calls process"),
        ("analysis", "transcribed process"),
        ("routing", "analyzed process"),
        ("recorder", "outcomes process"),
        ("transcription", "recordings open"),
        ("transcription", "speech recognize"),
        ("analysis", "llm generate"),
        ("delivery", "store get_target"),
    } <= every
    analyzed = next(span for span in spans if (span.service, span.name) == ("leadbus.routing", "analyzed process"))
    assert by_id[analyzed.parent].name == "transcribed process"
    assert by_id[by_id[analyzed.parent].parent].name == "inbound.calls process"
    assert by_id[by_id[analyzed.parent].parent].parent == entry.id

    consumers = [span for span in spans if span.kind == "consumer"]
    assert {span.attributes["leadbus.tenant"] for span in consumers} == {ROOFING}
    assert {span.attributes["leadbus.request_id"] for span in consumers} == {answer.request_ids[0]}
    assert [(s.service, s.name, s.attributes) for s in consumers if not s.attributes.get("leadbus.outcome")] == []
    assert len({span.name for span in spans}) < 60, "names are few, whatever passes"
    everything = b"".join(collector.bodies)
    for private in (b"Karen", b"Whitfield", b"KAREN", b"5550142", b"hail storm", b"sandbox-hubspot", b"demo-summit"):
        assert private not in everything
