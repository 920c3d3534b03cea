"""Plugs the real parts of each daemon together: the only place that knows which parts a daemon has.

Every part is imported by the daemon that needs it, so that a routing process never loads Google's clients. A daemon's
parts are closed in the reverse order of their opening, after the runtime has drained.
"""

import contextlib
import os
import socket
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from connectors.bundles.live import LiveBundles
from connectors.settings import ConnectionSettings
from connectors.store.opening import open_store
from connectors.store.seam import FullStore, Parked, Scope
from connectors.tracing import traced
from consumers.runtime.clock import Clock, SystemClock
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.seam import DaemonSpec
from schemas.rulefile import RulesBundle
from schemas.tenant import IntakeBundle

NAMES = ("transcription", "analysis", "routing", "delivery", "recorder", "retry")

Stack = contextlib.AsyncExitStack
T = TypeVar("T")


class StoreParking:
    """Parks in the store, for the tenant that the record names."""

    def __init__(self, store: FullStore) -> None:
        self._store = store

    async def park(self, tenant: str, parked: Parked) -> None:
        """Keep it; parking the same thing again changes nothing."""
        await self._store.park(Scope(tenant), parked)


async def run(name: str, *, kinds: tuple[str, ...] = (), on_ready: Callable[[], None] | None = None) -> None:
    """Run a daemon until SIGTERM, with settings from the environment."""
    from consumers.runtime.daemon import run_daemon
    from consumers.runtime.settings import RuntimeSettings

    connections, settings = ConnectionSettings(), RuntimeSettings()
    failpoints = Failpoints.from_environment(os.environ)
    clock = SystemClock()
    if name == "retry":
        from consumers.retry import run_retry_daemon

        async with contextlib.AsyncExitStack() as stack:
            store = _seen(connections, open_store(connections.store_url), "store")
            stack.push_async_callback(store.close)
            await run_retry_daemon(
                connections,
                settings,
                clock=clock,
                failpoints=failpoints,
                on_ready=on_ready,
                store=store,
                owner=_owner(),
            )
        return
    async with contextlib.AsyncExitStack() as stack:
        store = _seen(connections, open_store(connections.store_url), "store")
        stack.push_async_callback(store.close)
        spec = await _spec(name, kinds, stack, store, connections, clock, failpoints)
        await run_daemon(
            spec,
            connections,
            settings,
            parking=StoreParking(store),
            failpoints=failpoints,
            clock=clock,
            on_ready=on_ready,
        )


async def _spec(
    name: str,
    kinds: tuple[str, ...],
    stack: Stack,
    store: FullStore,
    connections: ConnectionSettings,
    clock: Clock,
    failpoints: Failpoints,
) -> DaemonSpec[Any]:
    match name:
        case "transcription":
            return await _transcription(stack, store, connections, clock)
        case "analysis":
            return await _analysis(stack, store, connections, clock)
        case "routing":
            return await _routing(stack, store, clock)
        case "delivery":
            return await _delivery(kinds, stack, store, connections, clock, failpoints)
        case "recorder":
            return _recorder(store, connections, clock)
    raise ValueError(f"there is no daemon {name!r}; there are {', '.join(NAMES)}")


async def _transcription(
    stack: Stack, store: FullStore, connections: ConnectionSettings, clock: Clock
) -> DaemonSpec[Any]:
    from connectors.recordings.fetch import open_recordings
    from connectors.recordings.objects import open_objects
    from connectors.secrets.resolver import open_secrets
    from connectors.speech.google_speech import open_speech
    from consumers import transcription

    secrets = open_secrets(connections)
    stack.push_async_callback(secrets.close)
    recordings = open_recordings(connections, secrets)
    stack.push_async_callback(recordings.close)
    speech = _seen(connections, open_speech(connections), "speech")
    stack.push_async_callback(speech.close)
    return transcription.spec(
        transcription.Transcription(
            tenants=await _tenants(stack, store),
            recordings=recordings,
            speech=speech,
            objects=open_objects(connections.objects_url),
            store=store,
            clock=clock,
            model=connections.speech_model,
        )
    )


async def _analysis(stack: Stack, store: FullStore, connections: ConnectionSettings, clock: Clock) -> DaemonSpec[Any]:
    from connectors.llm.gemini import open_language_model
    from connectors.recordings.objects import open_objects
    from consumers import analysis

    llm = _seen(connections, open_language_model(connections), "llm")
    stack.push_async_callback(llm.close)
    return analysis.spec(
        analysis.AnalysisDaemon(
            tenants=await _tenants(stack, store),
            llm=llm,
            objects=open_objects(connections.objects_url),
            store=store,
            clock=clock,
            model=connections.gemini_model,
            embedding_model=connections.embedding_model,
            thinking_budget=connections.gemini_thinking_budget,
        )
    )


async def _routing(stack: Stack, store: FullStore, clock: Clock) -> DaemonSpec[Any]:
    from consumers import routing
    from consumers.rulesets import RuleSets

    rules: LiveBundles[RulesBundle] = LiveBundles(store, "rules", lambda live, half: half)
    await rules.start()
    stack.push_async_callback(rules.stop)
    sets = RuleSets(intake=await _tenants(stack, store), rules=rules)
    return routing.spec(routing.Routing(rules=sets, store=store, clock=clock))


async def _delivery(
    kinds: tuple[str, ...],
    stack: Stack,
    store: FullStore,
    connections: ConnectionSettings,
    clock: Clock,
    failpoints: Failpoints,
) -> DaemonSpec[Any]:
    from connectors.crm.opening import ConnectorPool
    from connectors.secrets.resolver import open_secrets
    from consumers import delivery
    from consumers.effects import Effector
    from consumers.ledger import Leases

    secrets = open_secrets(connections)
    stack.push_async_callback(secrets.close)
    pool = ConnectorPool(connections, monotonic=clock.monotonic, now=clock.now)
    stack.push_async_callback(pool.close)
    owner = _owner()
    lease_seconds = connections.lease_seconds
    effector = Effector(
        store=store,
        leases=Leases(store, owner, lease_seconds),
        failpoints=failpoints,
        owner=owner,
        lease_seconds=lease_seconds,
        sleep=clock.sleep,
    )
    handler = delivery.Delivery(
        tenants=await _tenants(stack, store),
        connectors=pool,
        secrets=secrets,
        effector=effector,
        failpoints=failpoints,
        clock=clock,
    )
    return delivery.spec(handler, kinds)


def _recorder(store: FullStore, connections: ConnectionSettings, clock: Clock) -> DaemonSpec[Any]:
    from connectors.recordings.objects import open_objects
    from consumers import recorder

    return recorder.spec(recorder.Recorder(store=store, objects=open_objects(connections.objects_url), clock=clock))


async def _tenants(stack: Stack, store: FullStore) -> LiveBundles[IntakeBundle]:
    tenants: LiveBundles[IntakeBundle] = LiveBundles(store, "intake", lambda live, half: half)
    await tenants.start()
    stack.push_async_callback(tenants.stop)
    return tenants


def _seen(connections: ConnectionSettings, part: T, system: str) -> T:
    """The part, with its calls in the traces where there are any."""
    return traced(part, system) if connections.otlp_endpoint else part


def _owner() -> str:
    """Names this process in leases."""
    return f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"
