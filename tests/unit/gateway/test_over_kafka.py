"""From a signed POST over HTTP to records on a broker, with the real producer in between."""

import asyncio
from typing import TYPE_CHECKING

import aiohttp

from connectors.bus.producer import KafkaPublisher
from gateway.bootstrap import PUBLISHES, assemble
from gateway.logs import json_log
from gateway.settings import GatewaySettings
from gateway.sources.registry import discover
from schemas.documents import Inbound
from tests.unit.bus.test_producer import read
from tests.unit.gateway.house import (
    CALLRAIL_KEY,
    FORM_KEY,
    Bundles,
    Keyring,
    callrail_signature,
    lakeside,
    listening,
)

if TYPE_CHECKING:
    from ops.stack.embedded_broker import EmbeddedBroker


async def test_a_202_is_on_the_broker_under_its_request_id(embedded_broker: "EmbeddedBroker") -> None:
    publisher = KafkaPublisher(embedded_broker.bootstrap, topics=PUBLISHES)
    await publisher.start()
    gateway = assemble(
        GatewaySettings(), store=Bundles(lakeside()), secrets=Keyring(), publisher=publisher, log=json_log("error")
    )
    await gateway.endpoints.refresh()
    post_call = discover()["callrail"].samples[0]
    async with listening(gateway) as (url, _), aiohttp.ClientSession(url) as http:
        async with http.get("/readyz") as answer:
            assert answer.status == 200
        async with http.post(
            f"/v1/hooks/callrail/{CALLRAIL_KEY}/post_call",
            data=post_call.body,
            headers={**post_call.headers, "Content-Type": post_call.content_type},
        ) as answer:
            assert answer.status == 202
            [call] = (await answer.json())["request_ids"]
        async with http.post(f"/v1/hooks/form/{FORM_KEY}", data={"name": "Zoe", "_nonce": "kafka"}) as answer:
            assert answer.status == 202
            [form] = (await answer.json())["request_ids"]
        async with http.post(
            f"/v1/hooks/callrail/{CALLRAIL_KEY}/post_call",
            data=post_call.body + b" ",
            headers={"Signature": callrail_signature(post_call.body)},
        ) as answer:
            assert answer.status == 401
    await publisher.close()
    for topic, request_id in (("inbound.calls", call), ("inbound.messages", form)):
        [message] = await asyncio.to_thread(read, embedded_broker.bootstrap, topic, request_id.encode())
        assert Inbound.model_validate_json(message.value()).envelope.request_id == request_id
        assert dict(message.headers())["schema"] == b"inbound/1.0"


async def test_hundreds_at_once_are_all_there_afterwards(embedded_broker: "EmbeddedBroker") -> None:
    publisher = KafkaPublisher(embedded_broker.bootstrap, topics=PUBLISHES)
    await publisher.start()
    gateway = assemble(
        GatewaySettings(), store=Bundles(lakeside()), secrets=Keyring(), publisher=publisher, log=json_log("error")
    )
    await gateway.endpoints.refresh()
    async with listening(gateway) as (url, _), aiohttp.ClientSession(url) as http:

        async def one(index: int) -> str:
            fields = {"name": "Zoe", "_nonce": f"many-{index}"}
            async with http.post(f"/v1/hooks/form/{FORM_KEY}", data=fields) as answer:
                assert answer.status == 202
                return str((await answer.json())["request_ids"][0])

        accepted = await asyncio.gather(*(one(index) for index in range(300)))
    await publisher.close()
    assert len(set(accepted)) == 300
    [message] = await asyncio.to_thread(read, embedded_broker.bootstrap, "inbound.messages", accepted[-1].encode())
    assert message.error() is None
