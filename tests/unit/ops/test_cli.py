"""The command line: help with examples, exit codes, and what a person is told when something is missing.

0 fine, 1 findings, 2 usage, 3 environment.
"""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from ops.cli import missing_package
from ops.cli.app import app
from ops.cli.environment import settings_kinds
from tests.unit.ops.leadbus import TENANTS, answer, process, run

STAYS_UP = {"gateway", "consumer", "api", "up", "sandbox"}
SETTINGS = {
    "LEADBUS_KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "LEADBUS_STORE_URL": "sqlite:////nowhere/leadbus.db",
    "LEADBUS_OBJECTS_URL": "memory://",
}


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command under its words; `Any`, because typer brings a click of its own."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
    for name, child in (inner or {}).items():
        yield from leaves(child, (*path, name))


COMMANDS = dict(leaves(typer.main.get_command(app)))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_of_every_command_ends_with_an_example_that_the_command_takes(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    last = (command.help or "").strip().split("\n\n")[-1]
    assert last.startswith("Example: `")
    assert "Example: " in run(*path, "--help").output
    for example in last.split("`")[1::2]:
        words = [word for word in shlex.split(example) if not word.startswith("LEADBUS_")]
        assert words[: len(path) + 1] == ["leadbus", *path]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


def test_every_command_that_ends_by_itself_has_json_for_machines() -> None:
    without = {
        path for path, command in COMMANDS.items() if not any("--json" in option.opts for option in command.params)
    }
    assert without == {(name,) for name in STAYS_UP}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["rules", "check", str(TENANTS / "summit-roofing")], 0, "0 findings"),
        (["rules", "check", "/nowhere"], 2, "does not exist"),
        (["fly"], 2, "No such command"),
        (["demo", "--leads", "0"], 2, "greater than or equal to 1"),
        (["consumer", "fax"], 2, "transcription"),
        (["consumer", "routing", "--kind", "hubspot"], 2, "consumer delivery"),
        (["consumer", "delivery", "--kind", "fax"], 2, "there are email, http, hubspot, mcp, pipedrive, salesforce"),
        (["ops", "topics", "--kafka", "x", "--create", "--check"], 2, "not both"),
        (["sandbox", "--port", "fax=9101"], 2, "google, hubspot"),
        (["sandbox", "--port", "hubspot=high"], 2, "NAME=NUMBER"),
        (["up", "--kafka", "x"], 3, "--store is missing: once one real part is given, name the other too"),
        (["up", "--store", "embedded"], 3, "--kafka embedded"),
        (["ops", "topics", "--kafka", "127.0.0.1:1"], 3, "no broker answers at 127.0.0.1:1"),
        (["store", "migrate", "--store", "mysql://x"], 3, "sqlite:///PATH or spanner://"),
        (["store", "erase", "acme", "--yes", "--store", "sqlite:////nowhere/a.db"], 3, "tenant acme cannot be erased"),
        (["ops", "parked", "--store", "sqlite:////nowhere/a.db"], 3, "the store cannot be read"),
        (["rules", "publish", str(TENANTS / "summit-roofing"), "--store", "sqlite:////nowhere/a.db"], 3, "its folder"),
        (["schemas", "export", "/dev/null/x"], 3, "the contracts cannot be written"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else None,
)
def test_exit_codes_and_what_they_are_explained_with(arguments: list[str], code: int, says: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, says in " ".join(result.output.split())) == (code, True), result.output


@pytest.mark.parametrize("command", [["gateway"], ["consumer", "routing"], ["consumer", "retry"]])
def test_missing_settings_are_named_by_their_variables(command: list[str]) -> None:
    result = run(*command)
    assert result.exit_code == 3
    for variable in SETTINGS:
        assert f"{variable}: not set" in result.stderr


def test_a_setting_that_cannot_be_read_is_named_by_the_variable_of_its_own_process() -> None:
    assert "LEADBUS_GATEWAY_PORT: " in run("gateway", **SETTINGS, LEADBUS_GATEWAY_PORT="high").stderr
    assert "LEADBUS_SLOTS: " in run("consumer", "routing", **SETTINGS, LEADBUS_SLOTS="many").stderr
    assert "LEADBUS_API_PORT: " in run("api", **SETTINGS, LEADBUS_API_PORT="high").stderr


@pytest.mark.parametrize(
    ("command", "change", "says"),
    [
        ("gateway", {"LEADBUS_STORE_URL": "mysql://x"}, "store URL must be"),
        ("consumer routing", {"LEADBUS_STORE_URL": "mysql://x"}, "routing cannot start: store URL must be"),
        ("consumer retry", {}, "no broker answers at 127.0.0.1:1 (LEADBUS_KAFKA_BOOTSTRAP)"),
        ("consumer delivery", {"LEADBUS_SECRETS_FILE": "/nowhere.json"}, "/nowhere.json"),
        ("consumer analysis", {"LEADBUS_OBJECTS_URL": "floppy"}, "objects_url must be"),
        ("api", {"LEADBUS_STORE_URL": ""}, "LEADBUS_STORE_URL is not set"),
        ("api", {"LEADBUS_STORE_URL": "mysql://x"}, "the API cannot start: store URL must be"),
        ("api", {"LEADBUS_API_TOKENS_FILE": "/nowhere.json"}, "/nowhere.json: the tokens cannot be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_process_that_cannot_start_says_why_without_a_traceback(
    command: str, change: dict[str, str], says: str, tmp_path: Path
) -> None:
    settings = {**SETTINGS, "LEADBUS_STORE_URL": f"sqlite:///{tmp_path}/leadbus.db", **change}
    result = process(*command.split(), **settings)
    assert result.returncode == 3, result.stderr
    assert says in result.stderr
    assert "Traceback" not in result.stderr + result.stdout


def test_config_prints_every_setting_of_every_process_under_its_variable() -> None:
    rows = answer(
        run("config", "--json", **SETTINGS, LEADBUS_GEMINI_MODEL="gemini-9", LEADBUS_RECORDINGS_HOSTS='["a:1"]')
    )
    wanted = {
        f"{kind.model_config.get('env_prefix')}{field}".upper()
        for kind in settings_kinds()
        for field in kind.model_fields
    }
    assert set(rows) == wanted
    assert {"LEADBUS_GATEWAY_PORT", "LEADBUS_HEALTH_PORT", "LEADBUS_API_TOKENS_FILE", "LEADBUS_STORE_URL"} <= set(rows)
    assert rows["LEADBUS_GEMINI_MODEL"] == "gemini-9"
    assert rows["LEADBUS_RECORDINGS_HOSTS"] == ["a:1"]


def test_what_config_prints_for_people_can_be_set_again() -> None:
    lines = run("config", **SETTINGS, LEADBUS_RECORDINGS_HOSTS='["a:1"]').stdout.splitlines()
    printed = dict(line.split("=", 1) for line in lines)
    assert answer(run("config", "--json", **{name: value for name, value in printed.items() if value})) == answer(
        run("config", "--json", **SETTINGS, LEADBUS_RECORDINGS_HOSTS='["a:1"]')
    )


def test_config_shows_what_is_set_beside_what_is_missing_or_wrong() -> None:
    rows = answer(run("config", "--json", LEADBUS_STORE_URL="sqlite:///a.db", LEADBUS_SLOTS="many", LEADBUS_WINDOW="7"))
    assert rows["LEADBUS_KAFKA_BOOTSTRAP"] == "(missing)"
    assert rows["LEADBUS_STORE_URL"] == "sqlite:///a.db"
    assert rows["LEADBUS_SLOTS"].startswith("(not valid: ")
    assert rows["LEADBUS_WINDOW"] == 7


def test_config_never_prints_a_secret(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.json"
    secrets.write_text(json.dumps({"acme/HUBSPOT_TOKEN": "env://LEADBUS_SECRET_ACME_HUBSPOT_TOKEN"}))
    given = {"LEADBUS_SECRETS_FILE": str(secrets), "LEADBUS_SECRET_ACME_HUBSPOT_TOKEN": "pat-na1-very-secret"}
    for arguments in (["config"], ["config", "--json"]):
        result = run(*arguments, **SETTINGS, **given)
        assert str(secrets) in result.stdout
        assert "very-secret" not in result.output


def test_only_a_package_of_others_is_called_a_missing_extra() -> None:
    assert "leadbus[server]" in str(missing_package("aiohttp.web"))
    assert "package google" in str(missing_package("google.cloud.speech_v2"))
    assert missing_package("connectors.store.openings") is None
    assert missing_package(None) is None
