"""The whole house as processes of this machine: what `demo`, `up`, `chaos` and the end-to-end tests run.

    broker      embedded, or the address of a real one
    store       SQLite in the run folder, or the URL of a real one
    sandbox     the vendors
    gateway     one process
    daemons     one process each

Every process is started exactly as production starts it (`leadbus gateway`, `leadbus consumer NAME`), with settings
from `LEADBUS_*` variables: none of them knows that it runs on a laptop or talks to a sandbox.
"""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from consumers.bootstrap import NAMES
from ops.stack.places import LOOPBACK, free_ports
from ops.stack.processes import ProcessSpec, Supervisor, python_module
from ops.stack.readiness import HttpReady, ReadyLine
from schemas import topics

EMBEDDED_PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class HousePlan:
    """What is given from outside, and what is embedded."""

    run_dir: Path
    tenants_dir: Path
    secrets: Mapping[str, str] = field(default_factory=dict)
    """`TENANT/NAME` to the secret's text: handed to the processes as variables, never written to a file."""
    kafka_bootstrap: str | None = None
    store_url: str | None = None
    topic_prefix: str = ""
    gateway_port: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    """Laid over every process: the emulator's address, failpoints."""
    daemon_env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Laid over one daemon."""
    daemons: Sequence[str] = NAMES


class House:
    """Starts everything, in an order that lets the slow parts start side by side; use as an async context manager."""

    def __init__(self, plan: HousePlan) -> None:
        self.plan = plan
        self.supervisor = Supervisor(plan.run_dir / "logs", env={"PYTHONDONTWRITEBYTECODE": "", **plan.env})
        self.sandbox: dict[str, str] = {}
        self.bootstrap = plan.kafka_bootstrap or ""
        self.store_url = plan.store_url or f"sqlite:///{(plan.run_dir / 'leadbus.db').resolve()}"
        self.gateway_url = ""
        self._ports = dict(zip(plan.daemons, free_ports(len(plan.daemons)), strict=True))

    async def __aenter__(self) -> Self:
        self.plan.run_dir.mkdir(parents=True, exist_ok=True)
        await self.supervisor.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Whoever publishes stops first: a daemon commits and leaves its group on a broker that is still there.
        servants = [name for name in self.supervisor.running if name not in ("broker", "sandbox")]
        try:
            await asyncio.gather(*(self.supervisor.stop(name) for name in servants))
        finally:
            await self.supervisor.__aexit__(kind, error, trace)

    async def start(self) -> None:
        """Everything up and ready; raises PartFailed with the log's end of the part that did not come up."""
        await asyncio.gather(self._start_sandbox(), self._start_broker(), self._prepare_store())
        gateway_port = self.plan.gateway_port or free_ports(1)[0]
        self.gateway_url = f"http://{LOOPBACK}:{gateway_port}"
        await self.supervisor.start_all([self.spec("gateway"), *(self.spec(name) for name in self.plan.daemons)])

    def spec(self, part: str, *, again: bool = False) -> ProcessSpec:
        """How the gateway or a daemon is run; `again` leaves out what was laid over its first start (`daemon_env`)."""
        env = self.settings()
        if part != "gateway":
            return self._daemon(part, env, again=again)
        port = self.gateway_url.rpartition(":")[2]
        return ProcessSpec(
            "gateway",
            self._leadbus("gateway"),
            {**env, "LEADBUS_GATEWAY_HOST": LOOPBACK, "LEADBUS_GATEWAY_PORT": port},
            HttpReady(f"{self.gateway_url}/readyz", seconds=60.0),
        )

    def settings(self) -> dict[str, str]:
        """The variables that every process of the house gets."""
        secrets = {f"LEADBUS_SECRET_{_variable(name)}": text for name, text in self.plan.secrets.items()}
        callrail = self.sandbox["callrail"].removeprefix("http://")
        return {
            "LEADBUS_KAFKA_BOOTSTRAP": self.bootstrap,
            "LEADBUS_TOPIC_PREFIX": self.plan.topic_prefix,
            "LEADBUS_STORE_URL": self.store_url,
            "LEADBUS_OBJECTS_URL": f"file://{(self.plan.run_dir / 'objects').resolve()}",
            "LEADBUS_SECRETS_FILE": str(self.plan.run_dir / "secrets.json"),
            "LEADBUS_GOOGLE_ENDPOINT": self.sandbox["google"],
            "LEADBUS_HUBSPOT_URL": self.sandbox["hubspot"],
            "LEADBUS_SALESFORCE_URL": self.sandbox["salesforce"],
            "LEADBUS_PIPEDRIVE_URL": self.sandbox["pipedrive"],
            "LEADBUS_SENDGRID_URL": self.sandbox["sendgrid"],
            "LEADBUS_RECORDINGS_HOSTS": json.dumps([callrail]),
            **secrets,
        }

    async def kill(self, daemon: str) -> None:
        """SIGKILL a daemon."""
        await self.supervisor.kill(daemon)

    async def restart(self, daemon: str) -> None:
        """Start a daemon again, without the failpoint it may have had, and wait until it is ready."""
        if daemon in self.supervisor.running:
            await self.supervisor.stop(daemon)
        await self.supervisor.start(self.spec(daemon, again=True))

    def _daemon(self, name: str, env: Mapping[str, str], *, again: bool = False) -> ProcessSpec:
        port = self._ports[name]
        extra = {} if again else self.plan.daemon_env.get(name, {})
        return ProcessSpec(
            name,
            self._leadbus("consumer", name),
            {**env, **self._session(), "LEADBUS_HEALTH_PORT": str(port), **extra},
            HttpReady(f"http://{LOOPBACK}:{port}/readyz", seconds=60.0),
        )

    def _session(self) -> dict[str, str]:
        # The embedded broker gives a killed member's partitions away only when its session has run out.
        return {} if self.plan.kafka_bootstrap else {"LEADBUS_SESSION_TIMEOUT_MS": "3000"}

    async def _start_sandbox(self) -> None:
        (self.plan.run_dir / "objects").mkdir(exist_ok=True)
        mapping = {name: f"env://LEADBUS_SECRET_{_variable(name)}" for name in self.plan.secrets}
        (self.plan.run_dir / "secrets.json").write_text(json.dumps(mapping, indent=1))
        told = await self.supervisor.start(ProcessSpec("sandbox", self._leadbus("sandbox"), ready=ReadyLine(60.0)))
        self.sandbox = {name: str(value) for name, value in told.items() if name != "ready"}

    async def _start_broker(self) -> None:
        if self.plan.kafka_bootstrap:
            return
        wanted = [
            [self.plan.topic_prefix + topic.name, min(topic.partitions, EMBEDDED_PARTITIONS)]
            for topic in topics.table()
        ]
        argv = python_module("ops.stack.embedded_broker", "--topics", json.dumps(wanted))
        told = await self.supervisor.start(ProcessSpec("broker", argv, ready=ReadyLine(30.0)))
        self.bootstrap = str(told["bootstrap"])

    async def _prepare_store(self) -> None:
        from connectors.store.opening import open_store
        from ops.tenants import publish_folder

        store = open_store(self.store_url, create=True)
        try:
            await store.migrate()
            for folder in sorted(path for path in self.plan.tenants_dir.iterdir() if (path / "tenant.yaml").is_file()):
                await publish_folder(store, folder)
        finally:
            await store.close()

    @staticmethod
    def _leadbus(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "ops.cli", *arguments]

    def health_url(self, daemon: str) -> str:
        """Where a daemon's health port listens."""
        return f"http://{LOOPBACK}:{self._ports[daemon]}"

    def logs(self, name: str) -> str:
        """The last lines of a process's log."""
        return self.supervisor.tail(name, 40)

    def told(self) -> dict[str, Any]:
        """Addresses, for people and reports."""
        return {"gateway": self.gateway_url, "kafka": self.bootstrap, "store": self.store_url, **self.sandbox}


def _variable(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name).upper()
