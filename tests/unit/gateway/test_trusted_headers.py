"""What the daemons trust in a record's headers is written by the gateway itself, never by who posts."""

import json

import aiohttp

from schemas import headers
from tests.unit.gateway.house import CALLRAIL_KEY, FORM_KEY, build_house, callrail_signature, lakeside, listening

OURS = {
    headers.RETRY_FOR: "leadbus.routing",
    headers.RELEASED: "approve",
    headers.PARK_ID: "p",
    headers.REPLAY_ID: "r",
    headers.RETRY_DUE_AT: "2026-01-01T00:00:00+00:00",
    headers.FAILURE_TOPIC: "inbound.calls",
    headers.FAILURE_PARTITION: "0",
    headers.FAILURE_OFFSET: "0",
    headers.TENANT: "another",
    headers.TEST: "1",
}
FIELDS = {"name": "A", **OURS}


async def test_headers_and_fields_of_a_post_never_become_headers_of_its_record() -> None:
    home = await build_house(lakeside())
    body = json.dumps({"resource_id": "CAL1", "customer_phone_number": "+13125550142", **OURS}).encode()
    async with listening(home.gateway) as (url, _), aiohttp.ClientSession(url, headers=OURS) as http:
        signed = {"Signature": callrail_signature(body), "Content-Type": "application/json"}
        for path, more in ((f"callrail/{CALLRAIL_KEY}/post_call", signed), (f"form/{FORM_KEY}", {})):
            async with http.post(
                f"/v1/hooks/{path}", data=body if more else {"name": "A", **OURS}, headers=more
            ) as got:
                assert got.status in (200, 202)
    assert len(home.bus.records) == 2
    for record in home.bus.records:
        assert record.headers[headers.TENANT] == "lakeside"
        assert not record.headers.keys() & (OURS.keys() - {headers.TENANT})
