"""`leadbus ops status` and `leadbus ops lag`: findings from facts, and what is seen of real parts."""

import asyncio
import dataclasses
import io
import json
import shlex
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from rich.console import Console

from connectors.store.opening import open_store
from connectors.store.seam import Parked, Scope, TenantRow
from consumers.runtime.commit_text import encode
from ops.cli.app import app
from ops.status.facts import (
    BrokerFacts,
    BundleFacts,
    GatewayFacts,
    GroupFacts,
    ParkedFacts,
    PartitionFacts,
    Status,
    StoreFacts,
)
from ops.status.findings import DAY, HOUR, Finding, Severity, duration, findings
from ops.status.groups import also_running, readers
from ops.status.screen import show_lag, show_status
from ops.status.stored import look_at_store
from ops.tenants import publish_folder
from schemas.topics import DEAD_LETTERS, DELIVER, has_overflow, overflow, table
from tests.unit.ops.leadbus import TENANTS, process, run

if TYPE_CHECKING:
    from ops.stack.kafka import RealKafka

LETTERS = GroupFacts(DEAD_LETTERS, "-", None, [PartitionFacts(DEAD_LETTERS, 0, 5, 12, None)])


def partition(**more: Any) -> PartitionFacts:
    return PartitionFacts(**{"topic": "analyzed", "partition": 0, "begin": 0, "end": 10, "committed": 10, **more})


def group(daemon: str = "routing", members: int | None = 1, **more: Any) -> GroupFacts:
    return GroupFacts(daemon, f"leadbus.{daemon}", members, [partition(**more)])


def broker(*groups: GroupFacts, **more: Any) -> BrokerFacts:
    return BrokerFacts(
        **{"bootstrap": "b:1", "brokers": 1, "groups": groups, "letters": LETTERS, "dead_letters_hour": 0, **more}
    )


def of(facts: BrokerFacts | None = None, store: StoreFacts | None = None, **more: Any) -> list[Finding]:
    return findings(Status(broker=facts, store=store, **more))


WORST = Status(
    broker=broker(
        group(halted=True, members=0, committed=4, age=2 * DAY, headroom=HOUR),
        group("recorder", committed=2, begin=5, age=700.0, headroom=DAY - 1),
        group("delivery-hubspot-email", members=0),
        missing=["retry.1m"],
        topics=["decided has 3 partitions, should have 12"],
        dead_letters_hour=3,
    ),
    store=StoreFacts(
        parked=[
            ParkedFacts("acme", "delivery", "crm_auth_broken", 4, 7200.0, None, ["hub"]),
            ParkedFacts("acme", "routing", "held_by_rule", 1, 60.0),
            ParkedFacts("dent", "delivery", "crm_quota", 2, 60.0, 3600.0, ["sf"]),
        ],
        bundles=[BundleFacts("acme", 3, "abc", 60.0), BundleFacts("new-tenant", None)],
    ),
    gateway=GatewayFacts("http://g", False, "Not ready.", {"events": 7}),
)


def test_an_installation_that_is_well_has_no_findings() -> None:
    well = broker(group(), group("retry", committed=0, age=5 * HOUR))
    assert of(well, StoreFacts(bundles=[BundleFacts("acme", 1, None, 9e6)])) == []


def test_lag_counts_from_the_commit_or_from_the_beginning_where_there_is_none() -> None:
    assert partition(committed=4).lag == 6
    assert partition(committed=None, begin=3).lag == 7
    assert (partition(committed=2, begin=5).lag, partition(committed=2, begin=5).expired) == (5, 3)


def test_a_daemon_without_members_is_worse_when_records_wait() -> None:
    [idle], [waiting] = of(broker(group(members=0))), of(broker(group(members=0, committed=4)))
    assert (idle.severity, waiting.severity) == (Severity.WARNING, Severity.CRITICAL)
    assert waiting.text == "routing is not running, and 6 records wait for it"
    assert waiting.next == "leadbus consumer routing"
    assert of(broker(group(members=None, committed=4))) == [], "a broker that cannot tell is no finding"


def test_old_records_short_head_room_and_expired_ones_are_told() -> None:
    assert [f.severity for f in of(broker(group(committed=4, age=601.0)))] == [Severity.WARNING]
    assert [f.severity for f in of(broker(group(committed=4, age=5.0, headroom=DAY - 1)))] == [Severity.WARNING]
    [short] = of(broker(group(committed=4, age=5.0, headroom=HOUR)))
    assert (short.severity, "in 1 h" in short.text) == (Severity.CRITICAL, True)
    [lost] = of(broker(group(begin=5, committed=2, end=5)))
    assert lost.text == "routing: retention removed 3 records before they were finished, they are lost"
    assert fault(lost.next) is None
    [fewer] = of(broker(group(begin=5, committed=2, end=5, finished_beyond=2, finished_below=2)))
    assert "removed 1 record before it was finished" in fewer.text
    assert of(broker(group(begin=5, committed=2, end=5, finished_beyond=3, finished_below=3))) == []


def test_a_halted_daemon_is_the_first_thing_said() -> None:
    first, *rest = of(broker(group(halted=True, members=0, committed=4), group("recorder", members=0)))
    assert (first.severity, "routing has stopped by its dead-letter limits" in first.text) == (Severity.CRITICAL, True)
    assert first.text.endswith("6 records wait for it")
    assert [finding.text for finding in rest] == ["recorder is not running"], (
        "nobody is told to start it again as it is"
    )


def test_a_halted_daemon_that_runs_again_is_on_probation() -> None:
    [told] = of(broker(group(halted=True, members=1)))
    assert (told.severity, "on probation" in told.text) == (Severity.CRITICAL, True)
    [unknown] = of(broker(group(halted=True, members=None)))
    assert "has stopped" in unknown.text


def test_a_retry_that_is_not_brought_back_is_told_and_one_that_is_not_due_is_not() -> None:
    for age, overdue in ((3600.0, False), (4500.0, False), (3600 * 1.1 + 700, True)):
        found = of(broker(group("retry", topic="retry.1h", committed=4, age=age)))
        assert bool(found) is overdue
    assert found[0].text == "retry: records of retry.1h are overdue by 11 min: it does not bring them back"
    assert of(broker(group("retry", topic="retry.1h", committed=4, age=9000.0, members=0)))[0].text.startswith(
        "retry is not running"
    )


def test_dead_letters_are_told_by_the_hour_where_the_broker_knows_it() -> None:
    assert "3 records went to the dead letters in the last hour" in of(broker(dead_letters_hour=3))[0].text
    assert of(broker(dead_letters_hour=0)) == []
    assert "7 records went to the dead letters in all" in of(broker(dead_letters_hour=None))[0].text


def test_a_connector_that_is_the_cause_is_named_and_what_is_due_needs_nobody() -> None:
    found = {finding.text.partition(":")[0]: finding for finding in of(store=WORST.store)}
    assert "hub is paused; 4 records parked at delivery: crm_auth_broken, the oldest for 2 h" in " ".join(
        finding.text for finding in of(store=WORST.store)
    )
    assert (found["dent"].severity, found["dent"].text.endswith("due in 1 h")) == (Severity.NOTICE, True)
    assert found["acme"].next == "leadbus ops parked list --tenant acme --stage routing --reason held_by_rule"


@pytest.mark.parametrize(
    ("reason", "due_in", "severity"),
    [
        ("held_by_rule", None, Severity.NOTICE),
        ("unparsed", None, Severity.NOTICE),
        ("effect_unknown", None, Severity.WARNING),
        ("speech_misconfigured", None, Severity.WARNING),
        ("secret_missing", None, Severity.WARNING),
        ("newer_schema", 3600.0, Severity.NOTICE),
    ],
)
def test_what_is_parked_is_a_warning_unless_it_is_routine_or_comes_back_by_itself(
    reason: str, due_in: float | None, severity: Severity
) -> None:
    [told] = of(store=StoreFacts(parked=[ParkedFacts("acme", "delivery", reason, 2, 60.0, due_in)]))
    assert told.severity is severity


def test_a_tenant_of_a_strange_name_is_quoted_and_cannot_write_on_the_terminal() -> None:
    name = "x; rm -rf ~\x1b[2J\n"
    status = Status(None, StoreFacts(parked=[ParkedFacts(name, "routing", "no_rule", 1, 1.0)]))
    [told] = findings(status)
    assert shlex.split(told.next)[5] == name
    for terminal in (True, False):
        shown = io.StringIO()
        show_status(Console(file=shown, width=200, force_terminal=terminal, color_system=None), status, [told])
        assert "\x1b[2J" not in shown.getvalue()


def test_many_missing_topics_are_a_number_and_a_few_names() -> None:
    names = [topic.name for topic in table()]
    [told] = of(broker(missing=names))
    assert told.text == f"{len(names)} topics are missing: {', '.join(names[:5])} and {len(names) - 5} more"
    [one] = of(broker(missing=names[:1]))
    assert one.text == f"1 topic is missing: {names[0]}"


def test_the_worst_comes_first() -> None:
    severities = [finding.severity for finding in findings(WORST)]
    assert severities == sorted(severities)
    assert {Severity.CRITICAL, Severity.WARNING, Severity.NOTICE} == set(severities)


def fault(line: str) -> str | None:
    """What of a command line does not exist."""
    words = shlex.split(line)
    assert words.pop(0) == "leadbus"
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands") and words:
        if words[0] not in command.commands:
            return f"no command {words[0]}"
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    return next((f"no option {word}" for word in words if word.startswith("--") and word not in known), None)


def test_every_next_command_exists() -> None:
    found = findings(WORST)
    assert len(found) >= 11
    assert {finding.next: fault(finding.next) for finding in found if fault(finding.next)} == {}
    assert any(finding.next == "leadbus consumer delivery --kind hubspot --kind email" for finding in found)


def test_the_screen_says_everything_without_colour_and_a_terminal_gets_tables() -> None:
    plain, coloured = io.StringIO(), io.StringIO()
    show_status(Console(file=plain, width=80), WORST, findings(WORST))
    show_status(Console(file=coloured, width=160, force_terminal=True), WORST, findings(WORST))
    text = plain.getvalue()
    assert "\x1b" not in text
    for said in ("HALTED", "CRITICAL routing has stopped", "next: leadbus consumer", "hub", "retry", "events 7"):
        assert said in text
    assert all(f"{finding.severity.name} {finding.text}" in text.replace("\n", " ") for finding in findings(WORST))
    assert "\x1b" in coloured.getvalue()
    assert "──" in coloured.getvalue()


def shown_at_80(show: Callable[[Console], None]) -> str:
    file = io.StringIO()
    show(Console(file=file, width=80, force_terminal=True, color_system=None))
    return file.getvalue()


def test_at_80_columns_nothing_is_cut_off() -> None:
    text = shown_at_80(lambda console: show_status(console, WORST, findings(WORST)))
    for said in ("delivery-hubspot-email", "crm_auth_broken", "new-tenant", "23 h 59 min"):
        assert said in text
    assert "…" not in text
    tables = [line for line in text.splitlines() if line.startswith("  ") and not line.startswith("    next")]
    assert max(map(len, tables)) <= 80


def test_a_name_that_is_too_long_for_its_column_goes_on_in_the_next_line() -> None:
    parked = ParkedFacts("t" * 64, "delivery-hubspot-salesforce", "tenant_over_dead_letter_limit", 3, 60.0)
    text = shown_at_80(lambda console: show_status(console, Status(None, StoreFacts(parked=[parked])), []))
    assert sum(line.count("t") for line in text.splitlines() if "tttt" in line) >= 64
    assert "…" not in text


def test_paused_connectors_have_a_line_of_their_own() -> None:
    text = shown_at_80(lambda console: show_status(console, WORST, []))
    assert "connectors paused: hub of acme (crm_auth_broken, 4 records, 2 h); sf of dent (crm_quota" in text
    calm = Status(None, StoreFacts())
    assert "connectors paused: none" in shown_at_80(lambda console: show_status(console, calm, []))


def test_lag_shows_where_something_waits_and_the_rest_only_when_it_is_asked_for() -> None:
    parts = [
        partition(),
        partition(partition=1, committed=4, age=7200.0, headroom=DAY),
        partition(partition=2, begin=8, committed=5, end=8),
        partition(topic="decided", halted=True),
        partition(topic="outcomes"),
    ]
    groups = [GroupFacts("recorder", "leadbus.recorder", 1, parts)]
    text = shown_at_80(lambda console: show_lag(console, groups, topic=None))
    rows = [line.split() for line in text.splitlines() if line.strip()[:1].isdigit()]
    assert [row[:5] for row in rows] == [
        ["1", "0", "4", "10", "6"],
        ["2", "8", "5", "8", "0"],
        ["0", "0", "10", "10", "0"],
    ]
    assert (rows[1][-2:], rows[2][-1]) == (["3", "LOST"], "halted")
    assert "recorder: nothing waits in 2 partitions of 2 topics (--all)" in text
    assert max(map(len, text.splitlines())) <= 80
    every = shown_at_80(lambda console: show_lag(console, groups, topic="analyzed", quiet=True))
    assert len([line for line in every.splitlines() if line.strip()[:1].isdigit()]) == 3
    plain = io.StringIO()
    show_lag(Console(file=plain, width=80), groups, topic=None)
    assert [line.split()[:3] for line in plain.getvalue().splitlines()[1:]] == [
        ["recorder", "analyzed", "1"],
        ["recorder", "analyzed", "2"],
        ["recorder", "decided", "0"],
    ]
    quiet = io.StringIO()
    show_lag(Console(file=quiet, width=80), groups, topic="outcomes")
    assert quiet.getvalue() == "nothing waits (--all shows every partition)\n"


def test_what_floods_and_what_was_released_is_seen_too() -> None:
    for reader in readers():
        documents = [topic for topic in reader.topics if has_overflow(topic)]
        assert {overflow(topic) for topic in documents} <= reader.topics
        if reader.daemon != "retry":
            assert documents


def test_markup_in_a_name_is_text() -> None:
    shown = io.StringIO()
    status = Status(None, StoreFacts(parked=[ParkedFacts("a[red]b", "s", "r", 1, 1.0)]))
    show_status(Console(file=shown, width=120, force_terminal=True), status, findings(status))
    assert "a[red]b" in shown.getvalue()


def test_durations_are_said_in_two_units_at_most() -> None:
    told = [duration(seconds) for seconds in (None, 0, 119.9, 120, 3600, 3720, 90_000)]
    assert told == ["-", "0 s", "119 s", "2 min", "1 h", "1 h 2 min", "1 d 1 h"]


def test_delivery_by_kinds_takes_its_topics_from_delivery() -> None:
    kinds = sorted(kind.value for kind in DELIVER)
    hubspot, *rest = [f"leadbus.delivery-{kind}" for kind in kinds if kind != "email"]
    some = also_running(readers(), ["leadbus.routing", "leadbus.delivery-email-hubspot", "leadbus.delivery-"])
    by_name = {reader.daemon: reader for reader in some}
    one = {"deliver.email", "deliver.hubspot"}
    assert by_name["delivery-email-hubspot"].topics == one | {overflow(topic) for topic in one}
    assert not by_name["delivery"].topics & by_name["delivery-email-hubspot"].topics
    every = also_running(
        [reader for reader in readers() if reader.daemon == "delivery"],
        ["leadbus.delivery-email", hubspot, *rest],
    )
    assert "delivery" not in {reader.daemon for reader in every}


async def stored(path: Path) -> str:
    """A store with two tenants: one with a bundle and parked records, one without anything."""
    url = f"sqlite:///{path}/leadbus.db"
    store = open_store(url)
    await store.migrate()
    await publish_folder(store, TENANTS / "summit-roofing")
    await store.put_tenant(TenantRow(tenant_id="newcomer", name="Newcomer"), [])
    for reason, connector in (("crm_auth_broken", "hub"), ("crm_auth_broken", "hub"), ("held_by_rule", None)):
        await store.park(
            Scope("summit-roofing"),
            Parked(
                park_id=str(uuid.uuid4()),
                stage="delivery",
                reason=reason,
                detail="Zoe Marchand",
                event_id=str(uuid.uuid4()),
                request_id=str(uuid.uuid4()),
                topic="deliver.hubspot",
                record=b'{"lead": {"name": "Zoe Marchand"}}',
                connector_id=connector,
            ),
        )
    await store.close()
    return url


async def test_the_store_tells_what_is_parked_by_whose_fault_and_who_has_no_bundle(tmp_path: Path) -> None:
    url = await stored(tmp_path)
    seen = await look_at_store(url, datetime.now(UTC) + timedelta(hours=1))
    parked = {row.reason: row for row in seen.parked}
    assert (parked["crm_auth_broken"].count, parked["crm_auth_broken"].connectors) == (2, ["hub"])
    assert 3500 < parked["held_by_rule"].oldest < 3800
    bundles = {bundle.tenant: bundle for bundle in seen.bundles}
    assert (bundles["newcomer"].sequence, bundles["summit-roofing"].sequence) == (None, 1)
    assert bundles["summit-roofing"].age is not None


def written(bootstrap: str, prefix: str = "") -> None:
    """Six old records in one partition, and routing's commit in the middle of them, with two finished beyond it."""
    from confluent_kafka import Consumer, Producer, TopicPartition

    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    for _ in range(6):
        at = int((time.time() - 7200) * 1000)
        producer.produce(f"{prefix}analyzed", b"x", b"k", partition=1, timestamp=at)
    producer.produce(f"{prefix}{DEAD_LETTERS}", b"x", b"k", partition=0)
    assert producer.flush(20) == 0
    member = Consumer({"bootstrap.servers": bootstrap, "group.id": f"{prefix}leadbus.routing", "log_level": 0})
    text = encode(2, [3, 4], halted=True)
    member.commit(offsets=[TopicPartition(f"{prefix}analyzed", 1, 2, text)], asynchronous=False)
    member.close()


async def test_on_the_embedded_parts_one_command_tells_what_they_can_tell(tmp_path: Path) -> None:
    from ops.stack.embedded_broker import EmbeddedBroker

    url = await stored(tmp_path)
    with EmbeddedBroker((topic.name, min(topic.partitions, 4)) for topic in table()) as small:
        await asyncio.to_thread(written, small.bootstrap)
        parts = ("--kafka", small.bootstrap, "--store", url)
        answered = await asyncio.to_thread(run, "ops", "status", *parts, "--json")
        shown = await asyncio.to_thread(run, "ops", "status", *parts)
        detail = await asyncio.to_thread(run, "ops", "lag", "--kafka", small.bootstrap, "--topic", "analyzed", "--json")
    assert answered.exit_code == 1, answered.output
    told = json.loads(answered.stdout)
    routing = next(group for group in told["broker"]["groups"] if group["daemon"] == "routing")
    assert (routing["members"], routing["lag_records"], routing["halted"]) == (None, 4, True)
    assert 7100 < routing["lag_seconds"] < 7600
    assert 6 * DAY < routing["retention_headroom_seconds"] < 7 * DAY
    assert (told["broker"]["dead_letters"], told["broker"]["dead_letters_hour"]) == (1, None)
    assert told["unreachable"] == {}
    assert {finding["severity"] for finding in told["findings"]} == {"critical", "warning", "notice"}
    assert "Zoe" not in answered.stdout + shown.stdout
    assert "HALTED" in shown.stdout
    assert "newcomer has no live bundle" in shown.stdout
    rows = [p for g in json.loads(detail.stdout)["groups"] if g["daemon"] == "routing" for p in g["partitions"]]
    behind = [row for row in rows if row["lag"]]
    assert [(row["partition"], row["committed"], row["finished_beyond"]) for row in behind] == [(1, 2, 2)]


async def test_what_does_not_answer_is_named_and_the_rest_is_shown(tmp_path: Path) -> None:
    url = await stored(tmp_path)
    broken = ("--kafka", "127.0.0.1:1", "--store", url, "--gateway", "http://127.0.0.1:1")
    result = await asyncio.to_thread(process, "ops", "status", *broken)
    assert result.returncode == 3
    assert "UNREACHABLE broker: no broker answers at 127.0.0.1:1" in result.stdout
    assert "UNREACHABLE gateway" in result.stdout
    assert "hub is paused" in result.stdout
    assert "leadbus: broker: " in result.stderr
    assert "Traceback" not in result.stderr


def test_a_daemon_or_topic_that_is_not_there_is_a_usage_error() -> None:
    from ops.stack.embedded_broker import EmbeddedBroker

    with EmbeddedBroker((topic.name, 1) for topic in table()) as small:
        wrong = run("ops", "lag", "--kafka", small.bootstrap, "--daemon", "rooting")
        missing = run("ops", "lag", "--kafka", small.bootstrap, "--topic", "decidet")
    assert (wrong.exit_code, missing.exit_code) == (2, 2)
    assert "there is no daemon 'rooting'; there are analysis" in wrong.stderr
    assert "no daemon reads 'decidet'" in missing.stderr


@pytest.mark.kafka
async def test_apache_kafka_tells_members_hours_and_configured_retention(kafka: "RealKafka", tmp_path: Path) -> None:
    from ops.topics import create_topics

    url, prefix = await stored(tmp_path), f"st{uuid.uuid4().hex[:8]}."
    await asyncio.to_thread(create_topics, kafka.bootstrap, prefix=prefix, replication=1)
    await asyncio.to_thread(written, kafka.bootstrap, prefix)
    parts = ("--kafka", kafka.bootstrap, "--prefix", prefix, "--store", url)
    answered = await asyncio.to_thread(run, "ops", "status", *parts, "--json")
    told = json.loads(answered.stdout)
    assert told["unreachable"] == {}
    groups = {group["daemon"]: group for group in told["broker"]["groups"]}
    assert {group["members"] for group in groups.values()} == {0}
    assert (groups["routing"]["lag_records"], groups["recorder"]["lag_records"]) == (4, 6)
    assert 6 * DAY < groups["recorder"]["retention_headroom_seconds"] < 7 * DAY
    assert (told["broker"]["dead_letters"], told["broker"]["dead_letters_hour"]) == (1, 1)
    texts = [finding["text"] for finding in told["findings"]]
    assert "recorder is not running, and 6 records wait for it" in texts
    assert any("routing has stopped by its dead-letter limits" in text for text in texts)
    assert "1 record went to the dead letters in the last hour" in texts


def test_a_gateways_spool_is_shown_when_it_tells_of_one() -> None:
    spooled = dataclasses.replace(WORST, gateway=GatewayFacts("http://g", True, None, {"events": 7}))
    assert any("7 events lie in the gateway's spool" in finding.text for finding in findings(spooled))
    assert of(gateway=GatewayFacts("http://g", True)) == []
