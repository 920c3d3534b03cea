"""What is not well, how bad it is, and the next command to type. Pure: facts in, findings out, worst first.

critical   something is lost, or soon will be, or stands still for everybody
warning    it will not get better by itself
notice     somebody should look at it some time
"""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from ops.status.facts import BrokerFacts, GatewayFacts, GroupFacts, ParkedFacts, Status, StoreFacts
from schemas.topics import RETRY_TIERS

HOUR = 3600.0
DAY = 24 * HOUR

OLD = 600.0
"""Seconds from which an unfinished record is worth a look: more than any handler takes."""
SHORT_HEADROOM = DAY
NO_HEADROOM = 6 * HOUR
BY_CONNECTOR = frozenset({"crm_auth_broken", "crm_config_broken", "crm_quota", "secret_missing", "unknown_connector"})
"""Reasons that a connector is the cause of: its orders wait until it works again."""
ROUTINE = frozenset({"held_by_rule", "no_rule", "unparsed"})
"""Reasons that belong to an ordinary day: somebody looks through them when there is time."""
MOST_NAMED = 5
JITTER = 1.1
"""A retry waits a tenth longer than its tier at most."""


class Severity(IntEnum):
    """How bad it is."""

    CRITICAL = 0
    WARNING = 1
    NOTICE = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not well."""

    severity: Severity
    text: str
    next: str
    """A command line of ours, as it can be typed where the settings are."""


def findings(status: Status) -> list[Finding]:
    """Everything that is not well."""
    found: list[Finding] = []
    if status.broker is not None:
        found += _of_broker(status.broker)
    if status.store is not None:
        found += _of_store(status.store)
    if status.gateway is not None:
        found += _of_gateway(status.gateway)
    return sorted(found, key=lambda finding: finding.severity)


def _of_broker(broker: BrokerFacts) -> Iterator[Finding]:
    if broker.missing:
        text = f"{_are(len(broker.missing))} missing: {_some(broker.missing)}"
        yield Finding(Severity.CRITICAL, text, "leadbus ops topics --create")
    if broker.topics:
        yield Finding(
            Severity.NOTICE,
            f"{_are(len(broker.topics))} not as the table says: {broker.topics[0]}",
            "leadbus ops topics --check",
        )
    for group in broker.groups:
        yield from _of_group(group)
    if broker.dead_letters_hour or (broker.dead_letters_hour is None and broker.dead_letters):
        when = "in the last hour" if broker.dead_letters_hour else "in all"
        count = broker.dead_letters_hour or broker.dead_letters
        yield Finding(
            Severity.WARNING,
            f"{records(count)} went to the dead letters {when}",
            "leadbus ops lag --topic dead-letters",
        )


def _of_group(group: GroupFacts) -> Iterator[Finding]:
    name, details = group.daemon, f"leadbus ops lag --daemon {group.daemon}"
    start = f"leadbus consumer {_started_by(name)}"
    if group.halted and group.members:
        yield Finding(
            Severity.CRITICAL,
            f"{name} was stopped by its dead-letter limits and is on probation: what fails is held, its offset open,"
            " until enough records have finished well",
            details,
        )
    elif group.halted:
        waits = f"; {records(group.lag)} wait for it" if group.lag else ""
        yield Finding(
            Severity.CRITICAL,
            f"{name} has stopped by its dead-letter limits and stays so: several tenants failed alike, so look for a"
            f" bad release or a dependency that is away before starting it again{waits}",
            details,
        )
    if group.expired:
        they_were, they_are = ("it was", "it is") if group.expired == 1 else ("they were", "they are")
        yield Finding(
            Severity.CRITICAL,
            f"{name}: retention removed {records(group.expired)} before {they_were} finished, {they_are} lost",
            details,
        )
    if group.members == 0 and not group.halted:
        severity = Severity.CRITICAL if group.lag else Severity.WARNING
        waits = f", and {records(group.lag)} wait for it" if group.lag else ""
        yield Finding(severity, f"{name} is not running{waits}", start)
    headroom = group.headroom
    if headroom is not None and headroom < SHORT_HEADROOM:
        yield Finding(
            Severity.CRITICAL if headroom < NO_HEADROOM else Severity.WARNING,
            f"{name}: retention removes its oldest unfinished record in {duration(max(headroom, 0.0))}:"
            " raise the topic's retention.ms, or get it going",
            details,
        )
    yield from _overdue(group, details)
    # The retry daemon holds what is not due yet: that its records are old says nothing.
    if group.members != 0 and name != "retry" and group.oldest is not None and group.oldest >= OLD:
        yield Finding(
            Severity.WARNING,
            f"{name}: the oldest unfinished record is {duration(group.oldest)} old, {records(group.lag)} behind",
            details,
        )


def _overdue(group: GroupFacts, details: str) -> Iterator[Finding]:
    late = [
        (partition.age - JITTER * RETRY_TIERS[partition.topic], partition.topic)
        for partition in group.partitions
        if partition.age is not None and partition.topic in RETRY_TIERS
    ]
    seconds, tier = max(late, default=(0.0, ""))
    if group.members != 0 and seconds >= OLD:
        yield Finding(
            Severity.WARNING,
            f"{group.daemon}: records of {tier} are overdue by {duration(seconds)}: it does not bring them back",
            details,
        )


def _of_store(store: StoreFacts) -> Iterator[Finding]:
    for bundle in store.bundles:
        if bundle.sequence is None:
            yield Finding(
                Severity.WARNING,
                f"{bundle.tenant} has no live bundle: its webhooks find no endpoint",
                "leadbus rules publish FOLDER",
            )
    for parked in store.parked:
        yield _of_parked(parked)


def _of_parked(parked: ParkedFacts) -> Finding:
    what = (
        f"{records(parked.count)} parked at {parked.stage}: {parked.reason}, the oldest for {duration(parked.oldest)}"
    )
    severity = Severity.NOTICE if parked.reason in ROUTINE or parked.due_in is not None else Severity.WARNING
    if parked.reason in BY_CONNECTOR:
        names = ", ".join(parked.connectors) or "a connector"
        what = f"{names} {'are' if len(parked.connectors) > 1 else 'is'} paused; {what}"
    if parked.due_in is not None:
        what += f", due in {duration(max(parked.due_in, 0.0))}"
    # A tenant's name comes from a record's header: it is typed as it is, whatever it is.
    which = (("--tenant", parked.tenant), ("--stage", parked.stage), ("--reason", parked.reason))
    listed = " ".join(f"{option} {shlex.quote(value)}" for option, value in which)
    return Finding(severity, f"{parked.tenant}: {what}", f"leadbus ops parked list {listed}")


def _of_gateway(gateway: GatewayFacts) -> Iterator[Finding]:
    if not gateway.ready:
        yield Finding(
            Severity.CRITICAL,
            f"the gateway is not ready: {gateway.reason or 'it does not say why'}",
            "leadbus ops topics --check",
        )
    if gateway.spool and gateway.spool.get("events"):
        yield Finding(
            Severity.WARNING,
            f"{gateway.spool['events']} events lie in the gateway's spool and are not published yet",
            "leadbus ops topics --check",
        )


def _started_by(daemon: str) -> str:
    name, *kinds = daemon.split("-")
    return " ".join([name, *(f"--kind {kind}" for kind in kinds)])


def _are(topics: int) -> str:
    return "1 topic is" if topics == 1 else f"{topics} topics are"


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def records(count: int) -> str:
    """`1 record`, `2 records`."""
    return f"{count} record{'' if count == 1 else 's'}"


def duration(seconds: float | None) -> str:
    """Two units at most: `3 d 4 h`, `12 min`, `40 s`; `-` for None."""
    if seconds is None:
        return "-"
    whole = int(seconds)
    for unit, size, below, smaller in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60)):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {below}" if rest else "")
    return f"{whole // 60} min" if whole >= 120 else f"{whole} s"
