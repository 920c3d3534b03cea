"""Each service of docker-compose.yml is told exactly what its process reads, and the trial's variables fit it."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from pydantic_settings import BaseSettings

from connectors.settings import ConnectionSettings
from consumers.runtime.settings import RuntimeSettings
from gateway.settings import GatewaySettings
from ops.api.settings import ApiSettings
from ops.api.tokens import Tokens
from ops.cli.app import app
from ops.cli.demo import fixed_ports
from ops.cli.environment import variable
from ops.demo.run import demo_secrets
from ops.sandbox.server import SandboxAddresses
from rules.loader import load_folder

ROOT = Path(__file__).parents[3]
TENANTS = ROOT / "rules" / "tenants"
DAEMONS = ("transcription", "analysis", "routing", "delivery", "recorder", "retry")
SERVES: dict[str, tuple[type[BaseSettings], ...]] = {
    "gateway": (ConnectionSettings, GatewaySettings),
    "api": (ApiSettings,),
    **dict.fromkeys(DAEMONS, (ConnectionSettings, RuntimeSettings)),
}
STORE = "LEADBUS_STORE_URL"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return read


@pytest.fixture(scope="module")
def trial() -> dict[str, str]:
    lines = (ROOT / "compose.sandbox.env").read_text().splitlines()
    pairs = [line.split("=", 1) for line in lines if line and not line.startswith("#")]
    return {name: value.strip("'") for name, value in pairs}


def told(compose: dict[str, Any], service: str) -> dict[str, Any]:
    environment = compose["services"][service].get("environment", {})
    return {name: value for name, value in environment.items() if name.startswith("LEADBUS_")}


def known(service: str) -> set[str]:
    names = {variable(kind, field) for kind in SERVES[service] for field in kind.model_fields}
    return names | ({STORE} if service == "api" else set())


def needed(service: str) -> set[str]:
    fields = [(kind, name, field) for kind in SERVES[service] for name, field in kind.model_fields.items()]
    return {variable(kind, name) for kind, name, field in fields if field.is_required()}


def read_by_setup() -> set[str]:
    """Variables that the commands of `setup` take in place of options."""
    commands: Any = typer.main.get_command(app)
    steps = (("ops", "topics"), ("store", "migrate"), ("rules", "publish"))
    options = [option for group, name in steps for option in commands.commands[group].commands[name].params]
    return {str(option.envvar) for option in options if option.envvar}


@pytest.mark.parametrize("service", SERVES)
def test_every_variable_is_a_setting_of_the_process_that_gets_it(compose: dict[str, Any], service: str) -> None:
    assert set(told(compose, service)) - known(service) == set()


@pytest.mark.parametrize("service", SERVES)
def test_every_setting_that_has_no_default_is_given(compose: dict[str, Any], service: str) -> None:
    required = needed(service) | ({STORE} if service == "api" else set())
    assert {name for name in required if not told(compose, service).get(name)} == set()


def test_the_setup_is_told_what_its_commands_read(compose: dict[str, Any]) -> None:
    assert set(told(compose, "setup")) - read_by_setup() == set()
    assert {"LEADBUS_KAFKA_BOOTSTRAP", STORE} <= set(told(compose, "setup"))
    assert told(compose, "setup")["LEADBUS_REPLICATION"] == "1"


def test_the_sandbox_is_told_nothing_and_listens_where_the_trial_looks_for_it(
    compose: dict[str, Any], trial: dict[str, str]
) -> None:
    assert told(compose, "sandbox") == {}
    servers = tuple(SandboxAddresses.model_fields)
    arguments = compose["services"]["sandbox"]["command"]
    ports = fixed_ports([each.removeprefix("--port=") for each in arguments if each.startswith("--port=")], servers)
    assert set(ports) == set(servers)
    assert trial["LEADBUS_GOOGLE_ENDPOINT"] == f"sandbox:{ports['google']}"
    assert json.loads(trial["LEADBUS_RECORDINGS_HOSTS"]) == [f"sandbox:{ports['callrail']}"]
    for vendor in ("hubspot", "salesforce", "pipedrive", "sendgrid"):
        assert trial[f"LEADBUS_{vendor.upper()}_URL"] == f"http://sandbox:{ports[vendor]}"


def test_the_trials_vendors_are_handed_through_to_the_processes_that_call_them(
    compose: dict[str, Any], trial: dict[str, str]
) -> None:
    addresses = {name for name in trial if name.endswith(("_URL", "_ENDPOINT", "_HOSTS"))}
    for daemon in DAEMONS:
        assert addresses <= {name for name, value in told(compose, daemon).items() if value is None}
    settings = {name.removeprefix("LEADBUS_").lower(): value for name, value in trial.items() if name in addresses}
    settings["recordings_hosts"] = json.loads(settings["recordings_hosts"])
    ConnectionSettings(kafka_bootstrap="kafka:1", store_url="sqlite:///x", objects_url="memory://", **settings)  # type: ignore[arg-type]


def test_every_secret_that_an_example_tenant_names_lies_in_a_variable_that_the_trial_sets(
    compose: dict[str, Any], trial: dict[str, str]
) -> None:
    named = {
        f"{folder.name}/{name}"
        for folder in TENANTS.iterdir()
        for name in re.findall(r"secret://([A-Z0-9_]+)", (folder / "tenant.yaml").read_text())
    }
    mapping = json.loads(compose["configs"]["secrets"]["content"])
    assert set(mapping) == named
    values = {name: trial[address.removeprefix("env://")] for name, address in mapping.items()}
    assert values == {name: text for name, text in demo_secrets().items() if name in named}
    assert {name for name in trial if name.startswith("LEADBUS_SECRET_")} == {
        address.removeprefix("env://") for address in mapping.values()
    }


def test_only_processes_that_use_credentials_get_them(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        has = "env_file" in service or any(each["source"] == "secrets" for each in service.get("configs", ()))
        assert has == (name == "gateway" or name in DAEMONS), name


def test_the_trials_token_opens_the_console_of_a_tenant_that_is_there(
    compose: dict[str, Any], trial: dict[str, str], tmp_path: Path
) -> None:
    [mounted] = compose["services"]["api"]["configs"]
    assert trial["LEADBUS_API_TOKENS_FILE"] == mounted["target"]
    assert told(compose, "api")["LEADBUS_API_TOKENS_FILE"] is None
    path = tmp_path / "tokens.json"
    path.write_text(compose["configs"][mounted["source"]]["content"])
    Tokens.read(path)
    [token] = json.loads(path.read_text())
    text = re.search(r"token: ([\w-]+)", (ROOT / "compose.sandbox.env").read_text())
    assert text is not None
    assert token["sha256"] == hashlib.sha256(text[1].encode()).hexdigest()
    assert (TENANTS / token["tenant"]).is_dir()


def test_the_trials_example_posts_to_an_endpoint_that_is_there() -> None:
    found = re.search(r"/v1/hooks/(\w+)/([\w-]+)", (ROOT / "compose.sandbox.env").read_text())
    assert found is not None
    digest = hashlib.sha256(found[2].encode()).hexdigest()
    endpoints = load_folder(TENANTS / "summit-roofing").intake.endpoints
    assert (found[1], digest) in {(endpoint.source, endpoint.key_sha256) for endpoint in endpoints}


def test_every_volume_and_config_is_used_and_every_used_one_is_there(compose: dict[str, Any]) -> None:
    services = compose["services"].values()
    volumes = {each.split(":")[0] for service in services for each in service.get("volumes", ())}
    assert {name for name in volumes if not name.startswith(("$", ".", "/"))} == set(compose["volumes"])
    used = {each["source"] for service in services for each in service.get("configs", ())}
    assert used == set(compose["configs"])


def test_objects_are_kept_where_the_image_lets_its_user_write(compose: dict[str, Any]) -> None:
    place = told(compose, "recorder")["LEADBUS_OBJECTS_URL"].removeprefix("file://")
    assert f"objects:{place}" in compose["services"]["recorder"]["volumes"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.search(rf"install -d -o leadbus -g leadbus .*{place}\b", dockerfile)
