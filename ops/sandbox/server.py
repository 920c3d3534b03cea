"""The whole sandbox in one object: start it, get the addresses, stop it.

Each vendor listens on a port of its own on loopback; port 0 (the default) picks a free one. Starting is all or
nothing: when one port cannot be had, what was started is stopped again and the OSError goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from pydantic import BaseModel, ConfigDict

from ops.sandbox.callrail import CallRail
from ops.sandbox.control import ControlDoor
from ops.sandbox.credentials import Credentials
from ops.sandbox.google_server import Google
from ops.sandbox.hubspot import HubSpot
from ops.sandbox.pipedrive import Pipedrive
from ops.sandbox.recordings import RecordingIndex
from ops.sandbox.salesforce import Salesforce
from ops.sandbox.sendgrid import SendGrid
from ops.sandbox.world import Clock, JsonObject, SandboxLimits, SystemClock, World

if TYPE_CHECKING:
    from ops.sandbox.faults import Fault


class SandboxAddresses(BaseModel):
    """Where the servers listen. google is `host:port` for gRPC without TLS, the rest are base URLs."""

    model_config = ConfigDict(frozen=True)

    google: str
    hubspot: str
    salesforce: str
    pipedrive: str
    sendgrid: str
    callrail: str
    control: str


class _Server(Protocol):
    async def start(self, host: str, port: int) -> str: ...

    async def stop(self) -> None: ...


class Sandbox:
    """All vendors, sharing one clock, one set of limits and one book of faults.

    May also be driven in process: `add_fault`, `map_recording`, `state`, `reset` do what the control door does.
    """

    def __init__(
        self,
        *,
        credentials: Credentials | None = None,
        limits: SandboxLimits | None = None,
        clock: Clock | None = None,
        recordings: RecordingIndex | None = None,
    ) -> None:
        self._world = World(
            recordings=recordings or RecordingIndex.load(),
            credentials=credentials or Credentials(),
            limits=limits or SandboxLimits(),
            clock=clock or SystemClock(),
        )
        self._callrail = CallRail(self._world)
        google, hubspot, salesforce = Google(self._world), HubSpot(self._world), Salesforce(self._world)
        pipedrive, sendgrid = Pipedrive(self._world), SendGrid(self._world)
        vendors = (google, hubspot, salesforce, pipedrive, sendgrid, self._callrail)
        self._control = ControlDoor(self._world, {vendor.name: vendor for vendor in vendors}, self._callrail)
        self._servers: dict[str, _Server] = {vendor.name: vendor for vendor in vendors}
        self._servers["control"] = self._control

    async def start(self, host: str = "127.0.0.1", ports: Mapping[str, int] | None = None) -> SandboxAddresses:
        """Start every server. `ports` fixes some by name (google, hubspot, …, control); the rest are free ones."""
        wanted = dict(ports or {})
        unknown = wanted.keys() - self._servers.keys()
        if unknown:
            raise ValueError(f"no such server: {', '.join(sorted(unknown))}; there are {', '.join(self._servers)}")
        found: dict[str, str] = {}
        try:
            for name, server in self._servers.items():
                found[name] = await server.start(host, wanted.get(name, 0))
        except BaseException:
            await self.stop()
            raise
        return SandboxAddresses(**found)

    async def stop(self) -> None:
        """Stop every server; state stays readable. Safe to call twice."""
        for server in self._servers.values():
            await server.stop()

    def add_fault(self, fault: Fault) -> None:
        """Make a vendor misbehave."""
        self._world.faults.add(fault)

    def map_recording(self, call_id: str, name: str) -> None:
        """Give a CallRail call its recording. Raises KeyError for an unknown name."""
        self._callrail.map_recording(call_id, name)

    def state(self) -> JsonObject:
        """Everything kept, by vendor."""
        return self._control.state()

    def reset(self) -> None:
        """Forget all state and faults."""
        self._control.reset()
