"""Commands on real parts: topics of a cluster, a store that is there or not yet, the sandbox's ports."""

import asyncio
import json
import shutil
import socket
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from connectors.store.opening import open_store
from connectors.store.seam import Parked, Scope, TenantRow
from schemas import topics
from tests.unit.ops.leadbus import TENANTS, answer, process, run

if TYPE_CHECKING:
    from ops.stack.embedded_broker import EmbeddedBroker
    from ops.stack.kafka import RealKafka


@pytest.mark.kafka
def test_topics_are_created_on_a_real_cluster_once_and_then_found_right(kafka: "RealKafka") -> None:
    given = ("--kafka", kafka.bootstrap, "--prefix", f"cli{uuid.uuid4().hex[:8]}.", "--json")
    before = run("ops", "topics", "--check", *given)
    assert before.exit_code == 1
    assert len(json.loads(before.stdout)["findings"]) == len(topics.table())
    made = answer(run("ops", "topics", "--create", "--replication", "1", *given))
    assert (len(made["created"]), made["findings"]) == (len(topics.table()), [])
    assert answer(run("ops", "topics", "--create", "--replication", "1", *given)) == {"created": [], "findings": []}
    assert answer(run("ops", "topics", "--check", *given)) == {"created": [], "findings": []}


def test_the_embedded_brokers_topics_are_checked_too(embedded_broker: "EmbeddedBroker") -> None:
    result = run("ops", "topics", LEADBUS_KAFKA_BOOTSTRAP=embedded_broker.bootstrap)
    assert (result.exit_code, result.stdout) == (0, "every topic is as it should be\n")


def test_too_few_partitions_are_reported_by_topic_and_number() -> None:
    from ops.stack.embedded_broker import EmbeddedBroker

    with EmbeddedBroker((topic.name, min(topic.partitions, 4)) for topic in topics.table()) as small:
        result = run("ops", "topics", "--check", "--kafka", small.bootstrap)
    assert result.exit_code == 1
    assert "decided: 4 partitions, should have 12" in result.stdout.splitlines()
    assert not any(line.startswith("tenants:") for line in result.stdout.splitlines())


@pytest.fixture(params=["sqlite", pytest.param("spanner", marks=pytest.mark.spanner)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store that is not there yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/leadbus.db"
    host = request.getfixturevalue("spanner_emulator")
    return f"spanner://leadbus-test/cli/d{uuid.uuid4().hex[:20]}?emulator={host}"


def test_migrating_twice_applies_the_migrations_once(store_url: str) -> None:
    first = answer(run("store", "migrate", "--store", store_url, "--json"))["applied"]
    assert first
    assert answer(run("store", "migrate", "--json", LEADBUS_STORE_URL=store_url)) == {"applied": []}
    assert "up to date" in run("store", "migrate", "--store", store_url).stdout


def test_publishing_the_same_folders_again_changes_nothing_and_an_edit_raises_the_number(
    store_url: str, tmp_path: Path
) -> None:
    folders = []
    for name in ("summit-roofing", "bright-dental"):
        folders.append(str(shutil.copytree(TENANTS / name, tmp_path / "tenants" / name)))
    run("store", "migrate", "--store", store_url)
    first = answer(run("rules", "publish", *folders, "--store", store_url, "--commit", "3f2a1c9", "--json"))["live"]
    assert [(live["tenant_id"], live["sequence"]) for live in first] == [("summit-roofing", 1), ("bright-dental", 1)]
    again = answer(run("rules", "publish", *folders, "--json", LEADBUS_STORE_URL=store_url))["live"]
    for before, after in zip(first, again, strict=True):
        assert (after["sequence"], after["rules"], after["intake"]) == (1, before["rules"], before["intake"])
    rules = Path(folders[0]) / "rules" / "20-analyzed.rules.yaml"
    rules.write_text(rules.read_text().replace("lead_score}, 75]", "lead_score}, 80]"))
    edited, other = answer(run("rules", "publish", *folders, "--store", store_url, "--json"))["live"]
    assert (edited["sequence"], other["sequence"]) == (2, 1)
    assert edited["intake"] == first[0]["intake"]


def test_a_folder_with_a_finding_publishes_none_of_the_folders(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/leadbus.db"
    broken = shutil.copytree(TENANTS / "bright-dental", tmp_path / "bright-dental")
    (broken / "tenant.yaml").write_text((broken / "tenant.yaml").read_text() + "colour: red\n")
    run("store", "migrate", "--store", url)
    result = run("rules", "publish", str(TENANTS / "summit-roofing"), str(broken), "--store", url)
    assert result.exit_code == 1
    assert "nothing was published" in result.stderr
    assert "tenant.yaml" in result.stderr
    findings = run("rules", "check", str(broken), "--json")
    assert findings.exit_code == 1
    assert json.loads(findings.stdout)["findings"]
    assert (
        answer(run("rules", "publish", str(TENANTS / "summit-roofing"), "--store", url, "--json"))["live"][0][
            "sequence"
        ]
        == 1
    )


async def test_what_is_parked_is_listed_with_its_reason_and_without_its_record(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/leadbus.db"
    store = open_store(url)
    await store.migrate()
    for tenant in ("acme", "other"):
        await store.put_tenant(TenantRow(tenant_id=tenant, name=tenant), [])
        request = str(uuid.uuid4())
        await store.park(
            Scope(tenant),
            Parked(
                park_id=str(uuid.uuid4()),
                stage="routing",
                reason="held_by_rule",
                detail="a competitor's address",
                event_id=str(uuid.uuid4()),
                request_id=request,
                topic=topics.INBOUND_MESSAGES,
                record=b'{"lead": {"name": "Zoe Marchand"}}',
            ),
        )
    await store.close()
    listed = process("ops", "parked", "--json", LEADBUS_STORE_URL=url)
    assert listed.returncode == 0, listed.stderr
    rows = json.loads(listed.stdout)["parked"]
    assert {row["tenant"] for row in rows} == {"acme", "other"}
    assert rows[0]["reason"] == "held_by_rule"
    assert "Zoe" not in listed.stdout
    one = process("ops", "parked", "--tenant", "acme", "--store", url)
    assert one.stdout.splitlines()[-1] == "1 parked"
    assert "a competitor's address" in one.stdout


async def test_the_sandbox_listens_where_it_is_told_and_answers_under_the_name_it_is_called_by() -> None:
    ports = {name: free_port() for name in ("callrail", "control")}
    arguments = [f"--port={name}={port}" for name, port in ports.items()]
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ops.cli", "sandbox", *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert running.stdout is not None
        told = json.loads(await asyncio.wait_for(running.stdout.readline(), 60))
        assert told["control"] == f"http://127.0.0.1:{ports['control']}"
        call = {"call_id": "CAL1", "name": "roof-leak"}
        headers = {"Host": "sandbox:9206", "Authorization": "Token token=sandbox-callrail-acme"}
        async with aiohttp.ClientSession() as http:
            assert (await http.post(f"{told['control']}/recordings", json=call)).status == 201
            answered = await http.get(f"{told['callrail']}/v3/a/ACC/calls/CAL1/recording.json", headers=headers)
            assert (await answered.json())["url"].startswith("http://sandbox:9206/recordings/CAL1/")
    finally:
        running.terminate()
        await running.wait()
    assert running.returncode == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
