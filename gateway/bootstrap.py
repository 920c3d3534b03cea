"""The one place where the gateway's real parts are plugged together.

`assemble` takes the parts that reach outside (store, secrets, publisher) and makes a gateway of them; `open_gateway`
opens the real ones from settings. Fails at start when the store's URL or the secrets' mapping cannot be used; a broker
or a store that is only away is waited for, and `/readyz` says no meanwhile.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from structlog.typing import FilteringBoundLogger

from connectors.bundles.live import BundleReader
from connectors.bus.producer import KafkaPublisher
from connectors.bus.seam import Publisher
from connectors.secrets.seam import Secrets
from connectors.settings import ConnectionSettings
from connectors.tracing import open_tracing
from gateway.app import GatewayApp
from gateway.authenticity import Authenticity
from gateway.intake import Intake
from gateway.keeping import Keeper
from gateway.metrics import GatewayMetrics
from gateway.readiness import Readiness
from gateway.settings import GatewaySettings
from gateway.sources.registry import discover
from gateway.tenants import EndpointMap
from gateway.traces import Traces
from schemas.topics import INBOUND

if TYPE_CHECKING:
    from connectors.otlp import OtlpTracing

PUBLISHES = INBOUND
"""The topics that must be there before the gateway is ready."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """The application and what must run beside it."""

    app: GatewayApp
    endpoints: EndpointMap
    metrics: GatewayMetrics
    log: FilteringBoundLogger


def utc_now() -> datetime:
    """The gateway's clock."""
    return datetime.now(UTC)


def assemble(
    settings: GatewaySettings,
    *,
    store: BundleReader,
    secrets: Secrets,
    publisher: Publisher,
    log: FilteringBoundLogger,
    now: Callable[[], datetime] = utc_now,
    random_bytes: Callable[[int], bytes] = os.urandom,
    registry: CollectorRegistry | None = None,
    tracing: "OtlpTracing | None" = None,
) -> Gateway:
    """A gateway over the given parts; nothing runs yet."""
    metrics = GatewayMetrics(registry or CollectorRegistry())
    endpoints = EndpointMap(store, discover(), log)
    intake = Intake(
        endpoints=endpoints,
        authenticity=Authenticity(secrets, log),
        keeper=Keeper(publisher, metrics),
        metrics=metrics,
        traces=Traces(random_bytes, tracing),
        now=now,
        log=log,
        public_url=settings.public_url,
    )
    ready = Readiness(endpoints, publisher, time.monotonic)
    app = GatewayApp(intake, metrics, ready=ready, body_seconds=settings.body_seconds, log=log)
    return Gateway(app, endpoints, metrics, log)


@contextlib.asynccontextmanager
async def open_gateway(
    settings: GatewaySettings, connections: ConnectionSettings, log: FilteringBoundLogger
) -> AsyncIterator[Gateway]:
    """The gateway on its real parts, its tenant map being kept up to date; everything is closed afterwards."""
    from connectors.secrets.resolver import open_secrets
    from connectors.store.opening import open_store

    async with contextlib.AsyncExitStack() as stack:
        tracing = open_tracing(connections.otlp_endpoint, "gateway", ratio=connections.trace_ratio)
        if tracing is not None:
            stack.push_async_callback(tracing.close)
        publisher = KafkaPublisher(
            connections.kafka_bootstrap,
            topic_prefix=connections.topic_prefix,
            topics=PUBLISHES,
            on_trouble=lambda code: log.warning("broker trouble", code=code),
        )
        await publisher.start()
        stack.push_async_callback(publisher.close)
        store = open_store(connections.store_url)
        stack.push_async_callback(store.close)
        secrets = open_secrets(connections)
        stack.push_async_callback(secrets.close)
        gateway = assemble(settings, store=store, secrets=secrets, publisher=publisher, log=log, tracing=tracing)
        await gateway.endpoints.refresh()
        polling = asyncio.create_task(gateway.endpoints.run(settings.poll_seconds), name="tenant-map")
        stack.push_async_callback(_cancelled, polling)
        yield gateway


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
