"""Who imports what: rules run where POSIX is not, and a process has the clients of its own vendors alone."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.store.opening import open_store
from ops.stack.embedded_broker import EmbeddedBroker
from schemas.topics import table

ROOT = Path(__file__).parents[2]

ON_WINDOWS = """
# The standard library is another one on Windows: what asks for POSIX in it is imported while that is there.
import asyncio, subprocess

import importlib.abc, os, signal, sys

MISSING = {"fcntl", "resource", "pwd", "grp", "termios", "pty", "tty", "uvloop", "crypt", "syslog"}


class NotHere(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


for name in MISSING:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, NotHere())
for name in ("fork", "forkpty", "getuid", "geteuid", "setsid", "killpg", "wait", "WNOHANG", "register_at_fork"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGKILL", "SIGPIPE", "SIGHUP", "SIGUSR1", "SIGALRM", "SIGCHLD", "SIGQUIT"):
    delattr(signal, name)
"""

EVERYTHING_READY = """
import asyncio, json, os, signal, sys
from consumers.bootstrap import run


def ready():
    print(json.dumps(sorted(sys.modules)), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)


asyncio.run(run(sys.argv[1], on_ready=ready))
"""

GATEWAY_OPEN = """
import asyncio, json, sys
import gateway.serve
from connectors.settings import ConnectionSettings
from gateway.bootstrap import open_gateway
from gateway.logs import json_log
from gateway.settings import GatewaySettings


async def main():
    async with open_gateway(GatewaySettings(), ConnectionSettings(), json_log("error")):
        print(json.dumps(sorted(sys.modules)), flush=True)


asyncio.run(main())
"""

API_BUILT = """
import json, sys
import ops.api.serve
from connectors.store.opening import open_store
from ops.api.app import build_api
from ops.api.tokens import Tokens

build_api(open_store(sys.argv[1]), Tokens(()))
print(json.dumps(sorted(sys.modules)))
"""

CLIENTS = {
    "google.cloud.speech_v2",
    "google.cloud.aiplatform_v1",
    "google.cloud.spanner_v1",
    "google.cloud.secretmanager_v1",
    "hubspot",
    "simple_salesforce",
    "datalogic_py",
    "aiokafka",
    "confluent_kafka",
    "faststream",
    "granian",
    "starlette",
}
"""What a process may have one of; each takes time and memory to import."""

DAEMON = {"aiokafka", "faststream"}
OWN = {
    "transcription": DAEMON | {"google.cloud.speech_v2"},
    "analysis": DAEMON | {"google.cloud.aiplatform_v1"},
    "routing": DAEMON | {"datalogic_py"},
    "delivery": DAEMON,
    "recorder": DAEMON,
    "retry": DAEMON,
}
"""Delivery imports a vendor's client with the first order for it."""
NEVER = {"google.cloud.aiplatform", "vertexai", "google.genai"}
"""Seconds and hundreds of megabytes, for what `aiplatform_v1` does alone."""


def python(code: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def modules(done: subprocess.CompletedProcess[str]) -> set[str]:
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.splitlines()[0])
    return set(found)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A broker of its own and an empty store: where daemons can start."""
    url = f"sqlite:///{tmp_path_factory.mktemp('imports')}/leadbus.db"

    async def migrate() -> None:
        store = open_store(url)
        await store.migrate()
        await store.close()

    asyncio.run(migrate())
    with EmbeddedBroker((topic.name, 1) for topic in table()) as broker:
        yield {
            "LEADBUS_KAFKA_BOOTSTRAP": broker.bootstrap,
            "LEADBUS_STORE_URL": url,
            "LEADBUS_OBJECTS_URL": "memory://",
        }


@pytest.mark.parametrize("daemon", OWN)
def test_a_running_daemon_has_imported_its_own_clients_and_no_other(daemon: str, settings: dict[str, str]) -> None:
    loaded = modules(python(EVERYTHING_READY, daemon, **settings))
    assert loaded & CLIENTS == OWN[daemon]
    assert not loaded & NEVER


def test_the_gateway_has_no_vendors_client_and_no_consumer(settings: dict[str, str]) -> None:
    loaded = modules(python(GATEWAY_OPEN, **settings))
    assert loaded & CLIENTS == {"confluent_kafka", "granian"}
    assert not loaded & NEVER
    assert not {name for name in loaded if name.startswith(("consumers", "rules"))}


def test_the_api_has_no_broker_and_no_vendor(settings: dict[str, str]) -> None:
    loaded = modules(python(API_BUILT, settings["LEADBUS_STORE_URL"]))
    assert loaded & CLIENTS == {"granian", "starlette"}
    assert not loaded & NEVER


def test_describing_every_daemon_never_imports_the_slow_google_packages() -> None:
    code = "import json, sys\nfrom ops.contracts import asyncapi\nasyncapi()\nprint(json.dumps(sorted(sys.modules)))"
    loaded = modules(python(code))
    assert {"consumers.transcription", "consumers.analysis", "consumers.delivery"} <= loaded
    assert not loaded & NEVER


def test_no_module_of_ours_names_the_slow_google_packages() -> None:
    for package in ("schemas", "rules", "connectors", "gateway", "consumers", "ops"):
        for path in (ROOT / package).rglob("*.py"):
            for line in path.read_text(encoding="utf-8").splitlines():
                words = line.split()
                if words[:1] in (["import"], ["from"]):
                    assert words[1] not in NEVER, f"{path}: {line}"
                    assert "aiplatform" not in words[3:], f"{path}: {line}"


COMMAND_LINE = f"{ON_WINDOWS}\nfrom ops.cli import main\nsys.argv[0] = 'leadbus'\nmain()"


@pytest.mark.parametrize("tenant", ["summit-roofing", "bright-dental", "northwind-agency"])
def test_rules_are_checked_where_posix_is_not(tenant: str) -> None:
    done = python(COMMAND_LINE, "rules", "check", f"rules/tenants/{tenant}")
    assert done.returncode == 0, done.stderr
    assert "0 findings" in done.stdout


def test_the_whole_command_line_comes_up_where_posix_is_not() -> None:
    done = python(COMMAND_LINE, "demo", "--help")
    assert done.returncode == 0, done.stderr
    assert "Example" in done.stdout


def test_the_stand_in_for_windows_refuses_what_windows_does_not_have() -> None:
    for wrong, says in (
        ("import fcntl", "No module named 'fcntl'"),
        ("signal.SIGKILL", "SIGKILL"),
        ("os.fork()", "fork"),
    ):
        done = python(f"{ON_WINDOWS}\n{wrong}")
        assert done.returncode == 1
        assert says in done.stderr
