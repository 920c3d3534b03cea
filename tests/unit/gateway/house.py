"""A gateway with small parts at its seams: bundles in memory, secrets in a dictionary, a bus that keeps records."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import io
import re
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import parse_qsl

from connectors.bus.seam import NotPublished, Publisher, RecordTooLarge
from connectors.otlp import OtlpTracing
from connectors.secrets.seam import SecretMissing
from connectors.store.seam import NotFound, Unavailable
from gateway.bootstrap import Gateway, assemble
from gateway.logs import json_log
from gateway.problems import Answer
from gateway.serve import serve
from gateway.settings import GatewaySettings
from gateway.sources.seam import Proof, SharedToken
from schemas import codec
from schemas.bundle import LiveBundle
from schemas.documents import Inbound

NOON = datetime(2026, 3, 2, 15, 14, 24, tzinfo=UTC)
CALLRAIL_KEY = "callrail-endpoint-key-000001"
FORM_KEY = "form-endpoint-key-00000000001"
CALENDLY_KEY = "calendly-endpoint-key-000001"
TAWK_KEY = "tawk-endpoint-key-00000000001"
SECRETS = {
    "secret://CALLRAIL": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "secret://CALENDLY": "cal_signing_key_1",
    "secret://TAWK": "tawk_secret_1",
}


def key_hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def endpoint(source: str, key: str, **more: Any) -> dict[str, Any]:
    return {"id": more.pop("id", f"{source}-1"), "source": source, "key_sha256": key_hash(key), **more}


def bundle(*endpoints: dict[str, Any], tenant: str = "lakeside", **more: Any) -> dict[str, Any]:
    offices = more.pop("offices", [{"id": "main", "name": "Main"}])
    return {
        "tenant": tenant,
        "name": tenant.title(),
        "endpoints": endpoints,
        "connectors": [],
        "offices": offices,
    } | more


def lakeside(**more: Any) -> dict[str, Any]:
    return bundle(
        endpoint("callrail", CALLRAIL_KEY, secrets=["secret://CALLRAIL"], office="main"),
        endpoint("form", FORM_KEY),
        endpoint("calendly", CALENDLY_KEY, secrets=["secret://CALENDLY"]),
        endpoint("tawk", TAWK_KEY, secrets=["secret://TAWK"], company="58ca8453b8a7e060cd3b0001"),
        **more,
    )


class Bundles:
    """The store as far as the gateway reads it."""

    def __init__(self, *bundles: dict[str, Any]) -> None:
        self.live: dict[str, LiveBundle] = {}
        self.halves: dict[str, Any] = {}
        self.away = False
        for half in bundles:
            self.put(half)

    def put(self, half: dict[str, Any], tenant: str | None = None) -> None:
        tenant = tenant or str(half["tenant"])
        digest = codec.digest(half)
        sequence = self.live[tenant].sequence + 1 if tenant in self.live else 1
        self.halves[digest] = half
        self.live[tenant] = LiveBundle(tenant_id=tenant, intake=digest, rules="0" * 64, sequence=sequence)

    async def list_live(self) -> Sequence[LiveBundle]:
        if self.away:
            raise Unavailable("away")
        return list(self.live.values())

    async def get_bundle_half(self, tenant_id: str, half: Literal["intake", "rules"], digest: str) -> Any:
        if digest not in self.halves:
            raise NotFound(digest)
        return self.halves[digest]


class Keyring:
    """Secrets by reference."""

    def __init__(self, secrets: Mapping[str, str] = SECRETS) -> None:
        self.secrets = dict(secrets)

    async def get(self, tenant_id: str, ref: str) -> str:
        if ref not in self.secrets:
            raise SecretMissing(ref)
        return self.secrets[ref]

    async def close(self) -> None: ...


@dataclass(frozen=True)
class Kept:
    topic: str
    key: bytes
    value: bytes
    headers: dict[str, str]

    @property
    def document(self) -> Inbound:
        return Inbound.model_validate_json(self.value)


class Bus:
    """A bus that keeps what it acknowledges."""

    def __init__(self) -> None:
        self.records: list[Kept] = []
        self.largest: int | None = None

    async def publish(self, topic: str, *, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        if self.largest is not None and len(value) > self.largest:
            raise RecordTooLarge
        self.records.append(Kept(topic, key, value, {name: text.decode() for name, text in headers}))

    async def ready(self) -> bool:
        return True

    async def close(self) -> None: ...


class DeafBus(Bus):
    """A bus that takes records and never acknowledges them in time."""

    async def publish(self, topic: str, *, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        await asyncio.sleep(0)
        raise NotPublished("timed out")


class HeldBus(Bus):
    """A bus that acknowledges when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.acknowledge = asyncio.Event()

    async def publish(self, topic: str, *, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        self.asked.set()
        await self.acknowledge.wait()
        await super().publish(topic, key=key, value=value, headers=headers)


class Clock:
    """A clock that stands still unless it is moved."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class House:
    """A gateway without HTTP."""

    gateway: Gateway
    bundles: Bundles
    bus: Bus
    clock: Clock
    keyring: Keyring
    log: io.StringIO
    answers: list[Answer] = field(default_factory=list)

    async def post(
        self,
        source: str,
        key: str,
        body: bytes,
        *,
        event: str | None = None,
        content_type: str = "application/json",
        query: str = "",
        **headers: str,
    ) -> Answer:
        """Post without a socket; header names with underscores for dashes."""
        intake = self.gateway.app._intake
        entry = intake.find(source, key)
        if isinstance(entry, Answer):
            return entry
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await intake.take(
            entry, event, body, {"content-type": content_type, **sent}, query, path_of(source, key, event)
        )

    async def callrail(self, event: str, body: bytes, **more: str) -> Answer:
        return await self.post("callrail", CALLRAIL_KEY, body, event=event, signature=callrail_signature(body), **more)

    @property
    def last(self) -> Inbound:
        return self.bus.records[-1].document

    def metric(self, name: str, **labels: str) -> float:
        return self.gateway.metrics.registry.get_sample_value(name, labels) or 0.0


async def build_house(
    *bundles: dict[str, Any],
    bus: Bus | None = None,
    secrets: Mapping[str, str] = SECRETS,
    store_away: bool = False,
    tracing: OtlpTracing | None = None,
) -> House:
    """A gateway that has looked for its tenant map once."""
    store, bus, clock, keyring, stream = Bundles(*bundles), bus or Bus(), Clock(), Keyring(secrets), io.StringIO()
    store.away = store_away
    gateway = assemble(
        GatewaySettings(body_seconds=0.4, unready_seconds=0.05, drain_seconds=5.0, public_url=PUBLIC),
        store=store,
        secrets=keyring,
        publisher=bus,
        log=json_log("debug", stream=stream),
        now=clock,
        random_bytes=lambda size: b"\x5a" * size,
        tracing=tracing,
    )
    await gateway.endpoints.refresh()
    return House(gateway, store, bus, clock, keyring, stream)


def path_of(source: str, key: str, event: str | None = None) -> str:
    """The path of an endpoint's URL."""
    return f"/v1/hooks/{source}/{key}" + (f"/{event}" if event else "")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def listening(gateway: Gateway) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """The gateway on a real port; yields its URL and the event that stops it."""
    port = free_port()
    stop = asyncio.Event()
    settings = GatewaySettings(port=port, body_seconds=0.4, unready_seconds=0.05, drain_seconds=5.0)
    running = asyncio.create_task(serve(gateway, settings, stop))
    for _ in range(200):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            break
        await asyncio.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}", stop
    finally:
        stop.set()
        assert await running


def callrail_signature(body: bytes, secret: str = SECRETS["secret://CALLRAIL"]) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha1")).decode()


PUBLIC = "https://gw.example.test"


def proofs(
    proof: Proof, body: bytes, secret: str, at: datetime, *, url: str = "", content_type: str = ""
) -> dict[str, str]:
    """The headers by which a vendor proves `body` at that time, lower-case; a token in the body is there already."""
    if isinstance(proof, SharedToken):
        kind, _, name = proof.place.partition(":")
        return {name.lower(): secret} if kind == "header" else {}
    seconds = at.timestamp()
    stamp = {"s": str(int(seconds)), "ms": str(int(seconds * 1000)), "iso": at.isoformat()}[proof.timestamp_unit]
    headers = {name.lower(): stamp for name in re.findall(r"{header:([^}]+)}", proof.template)}
    text = re.sub(r"{(pair|header):[^}]+}", stamp, proof.template).replace("{url}", url)
    if "{params}" in text:
        form = content_type.startswith("application/x-www-form-urlencoded")
        pairs = sorted(set(parse_qsl(body.decode(), keep_blank_values=True))) if form else []
        text = text.replace("{params}", "".join(name + value for name, value in pairs))
    before, _, after = text.partition("{body}")
    message = before.encode() + (body if "{body}" in text else b"") + after.encode()
    key = secret.encode() if proof.key == "text" else base64.b64decode(secret.removeprefix(proof.key_prefix))
    digest = hmac.digest(key, message, proof.algorithm)
    written = proof.prefix + (digest.hex() if proof.encoding == "hex" else base64.b64encode(digest).decode())
    if proof.digest_pair:
        place = (proof.timestamp or "pair:t").partition(":")[2]
        written = f"{place}={stamp},{proof.digest_pair}={written}"
    return {**headers, proof.header.lower(): written}


def sign(proof: Proof | None, body: bytes, secret: str, at: datetime) -> str:
    """The one header value of a vendor that signs with one."""
    assert proof is not None
    [value] = proofs(proof, body, secret, at).values()
    return value


def as_publisher(bus: Bus) -> Publisher:
    return bus
