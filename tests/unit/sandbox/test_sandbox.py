"""The sandbox as a whole: control door, accounts, addresses, and the command that runs it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from ops.sandbox.credentials import Credentials
from ops.sandbox.recordings import looks_like_audio
from ops.sandbox.server import Sandbox, SandboxAddresses
from ops.sandbox.world import RollingWindow
from tests.unit.sandbox.conftest import Running

SENDGRID_KEY = {"Authorization": "Bearer sandbox-sendgrid-agency"}


async def test_state_counts_calls_and_names_refusals_without_credentials(running: Running) -> None:
    async with running.http.get(f"{running.at.sendgrid}/v3/scopes", headers={"Authorization": "Bearer s3cret"}):
        pass
    async with running.http.get(f"{running.at.control}/state") as answer:
        state = await answer.json()
    assert set(state) == {"google", "hubspot", "salesforce", "pipedrive", "sendgrid", "callrail"}
    assert state["sendgrid"]["calls"] == {"GET /v3/scopes": 1}
    assert state["sendgrid"]["rejected"][0]["status"] == 401
    assert "s3cret" not in json.dumps(state)


async def test_reset_forgets_state_and_faults(running: Running) -> None:
    await running.fault(vendor="sendgrid", kind="status", status=500, times=5)
    async with running.http.post(f"{running.at.control}/reset") as answer:
        assert answer.status == 204
    async with running.http.get(f"{running.at.sendgrid}/v3/scopes", headers=SENDGRID_KEY) as answer:
        assert answer.status == 200
    async with running.http.get(f"{running.at.control}/faults") as answer:
        assert await answer.json() == []


async def test_a_fault_lasts_as_often_as_told_and_can_be_cleared(running: Running) -> None:
    await running.fault(vendor="sendgrid", kind="status", status=500, times=None)
    for _ in range(3):
        async with running.http.get(f"{running.at.sendgrid}/v3/scopes", headers=SENDGRID_KEY) as answer:
            assert answer.status == 500
    async with running.http.delete(f"{running.at.control}/faults") as answer:
        assert answer.status == 204
    async with running.http.get(f"{running.at.sendgrid}/v3/scopes", headers=SENDGRID_KEY) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "order",
    [
        {"vendor": "nobody", "kind": "reset"},
        {"vendor": "hubspot", "kind": "explode"},
        {"vendor": "hubspot", "kind": "status"},
        {"vendor": "google", "kind": "status", "status": 503},
        {"vendor": "hubspot", "kind": "delay"},
    ],
)
async def test_an_order_that_makes_no_sense_is_refused_with_the_reason(running: Running, order: dict[str, str]) -> None:
    async with running.http.post(f"{running.at.control}/faults", json=order) as answer:
        assert answer.status == 422
        assert (await answer.json())["error"]


async def test_an_unknown_path_is_404_in_the_vendors_shape(running: Running) -> None:
    async with running.http.get(f"{running.at.hubspot}/crm/v9/nothing") as answer:
        assert answer.status == 404
        assert (await answer.json())["category"] == "OBJECT_NOT_FOUND"


async def test_a_fixed_port_that_is_taken_stops_the_start(running: Running) -> None:
    taken = int(running.at.hubspot.rsplit(":", 1)[1])
    other = Sandbox()
    with pytest.raises(OSError, match="address already in use"):
        await other.start(ports={"hubspot": taken})
    with pytest.raises(ValueError, match="no such server"):
        await other.start(ports={"hubspt": 0})


def test_only_tokens_of_the_vendor_open_an_account() -> None:
    credentials = Credentials(tokens={"hubspot": {"fixed": "summit"}})
    assert credentials.account("hubspot", "fixed") == "summit"
    assert credentials.account("hubspot", "sandbox-hubspot-a") == "a"
    assert credentials.account("hubspot", "sandbox-hubspot-") is None
    assert credentials.account("hubspot", "sandbox-salesforce-a") is None
    assert Credentials(open_prefix=False).account("hubspot", "sandbox-hubspot-a") is None


def test_a_rolling_window_lets_the_limit_through_and_no_more() -> None:
    window = RollingWindow(10.0)
    assert [window.take(at, 2) for at in (0.0, 1.0, 2.0)] == [True, True, False]
    assert window.free_in(2.0) == 8.0
    assert window.take(10.5, 2)


@pytest.mark.parametrize("head", [b"RIFF\0\0\0\0WAVE", b"ID3", b"\xff\xe3", b"OggS", b"fLaC", b"\0\0\0\x18ftypM4A "])
def test_audio_headers_are_recognized(head: bytes) -> None:
    assert looks_like_audio(head)
    assert not looks_like_audio(b"<html>" + head)


async def test_the_command_tells_its_addresses_and_stops_on_sigterm(tmp_path: Path) -> None:
    addresses_file = tmp_path / "addresses.json"
    code = (
        "import sys, pathlib; from ops.sandbox.command import run;"
        "sys.exit(run(addresses_file=pathlib.Path(sys.argv[1]), recordings={'CAL1': 'roof-leak'}))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(addresses_file), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        told = SandboxAddresses.model_validate_json(line)
        assert SandboxAddresses.model_validate_json(addresses_file.read_text()) == told
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
