"""docker-compose.yml and Dockerfile agree with the house. No engine is needed: they are read as text."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DAEMONS = ("transcription", "analysis", "routing", "delivery", "recorder", "retry")
COMMANDS = {"gateway", "consumer", "api", "sandbox", "store", "ops", "rules"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert isinstance(compose["services"], dict)
    return compose["services"]


def ours(services: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in services.items() if each["image"] == "leadbus:local"}


def leadbus_commands(service: dict[str, Any]) -> list[list[str]]:
    if "entrypoint" in service:
        lines = " ".join(service["command"]).split(";")
        return [shlex.split(line)[1:] for line in lines]
    return [service["command"]]


@pytest.mark.parametrize("daemon", DAEMONS)
def test_every_daemon_has_a_service_of_its_name(services: dict[str, Any], daemon: str) -> None:
    assert services[daemon]["command"] == ["consumer", daemon]


def test_every_service_that_stays_up_has_a_health_check(services: dict[str, Any]) -> None:
    unchecked = [name for name, each in services.items() if not each.get("healthcheck", {}).get("test")]
    assert unchecked == ["setup"]


def test_a_health_check_asks_the_port_that_its_service_is_told_to_listen_on(services: dict[str, Any]) -> None:
    ports = dict.fromkeys(DAEMONS, "LEADBUS_HEALTH_PORT")
    for name, variable in (ports | {"gateway": "LEADBUS_GATEWAY_PORT", "api": "LEADBUS_API_PORT"}).items():
        told = services[name]["environment"]
        assert told["READY_URL"] == f"http://127.0.0.1:{told[variable]}/readyz", name
        assert told[variable.replace("_PORT", "_HOST")] == "0.0.0.0", name  # noqa: S104
    assert "--port=control=9207" in services["sandbox"]["command"]
    assert services["sandbox"]["environment"]["READY_URL"] == "http://127.0.0.1:9207/healthz"


def test_every_command_is_one_that_leadbus_has(services: dict[str, Any]) -> None:
    commands = [command for each in ours(services).values() for command in leadbus_commands(each)]
    assert {command[0] for command in commands} == COMMANDS
    assert {command[1] for command in commands if command[0] == "consumer"} == set(DAEMONS)


def test_topics_schema_and_tenants_are_there_before_anything_of_ours_starts(services: dict[str, Any]) -> None:
    assert leadbus_commands(services["setup"]) == [
        ["ops", "topics", "--create"],
        ["store", "migrate"],
        ["rules", "publish", "/tenants/*/"],
    ]
    assert services["setup"]["volumes"] == ["${LEADBUS_TENANTS:-./rules/tenants}:/tenants:ro"]
    waits = {name: each["depends_on"] for name, each in ours(services).items() if name not in ("setup", "sandbox")}
    assert set(waits) == {"gateway", "api", *DAEMONS}
    assert all(each["setup"]["condition"] == "service_completed_successfully" for each in waits.values())


def test_the_brokers_largest_message_is_the_one_that_the_tests_use(services: dict[str, Any]) -> None:
    from ops.stack.kafka import MESSAGE_MAX_BYTES
    from ops.stack.kafka_jars import KAFKA_VERSION

    assert services["kafka"]["environment"]["KAFKA_MESSAGE_MAX_BYTES"] == MESSAGE_MAX_BYTES
    assert services["kafka"]["image"].endswith(f":{KAFKA_VERSION}")


def test_every_port_is_published_on_loopback_only(services: dict[str, Any]) -> None:
    ports = [port for each in services.values() for port in each.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_spanner_clients_get_what_the_emulator_needs(services: dict[str, Any]) -> None:
    from ops.stack.spanner_emulator import client_environment

    for name, wanted in client_environment("spanner:9010").items():
        assert services["gateway"]["environment"][name] == wanted


def test_the_image_holds_the_six_packages_and_runs_as_nobody_special() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = {line.split()[1] for line in lines if line.startswith("COPY ") and "--from" not in line}
    assert {"schemas", "rules", "connectors", "gateway", "consumers", "ops"} <= copied
    assert "tests" not in copied
    assert "USER 10001" in lines
    assert 'ENTRYPOINT ["leadbus"]' in lines


def test_the_same_uv_is_pinned_everywhere() -> None:
    makefile = (ROOT / "Makefile").read_text()
    pinned = next(line.split(":=")[1].strip() for line in makefile.splitlines() if line.startswith("UV_VERSION"))
    assert f"ARG UV_VERSION={pinned}" in (ROOT / "Dockerfile").read_text()
