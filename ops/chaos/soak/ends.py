"""What stands in the store, at the vendors and in the groups' commits when a soak has ended.

Reads only. The store is asked through its own seam, the vendors through the sandbox's control door, the groups through
the broker's admin interface.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from connectors.store.seam import FullStore, Parked, Scope
from ops.chaos.soak.account import Account, Key
from ops.demo.crm_contents import Item, items
from schemas.decision import Ticket
from schemas.topics import RETRY_TIERS


@dataclass(frozen=True, slots=True)
class Lag:
    """A group's records that are not committed, in one partition."""

    group: str
    topic: str
    partition: int
    records: int

    def __str__(self) -> str:
        return f"{self.group} has {self.records} records of {self.topic}/{self.partition} open"


@dataclass(frozen=True, slots=True)
class Ends:
    """Everything outside the topics."""

    final: Mapping[Key, str]
    """Key to its final state, as the store has it."""
    told: Mapping[Key, Collection[str]]
    """Key to the vendor's ids that were told with it."""
    parked: Sequence[tuple[str, Parked]]
    """With their tenant; released ones are left out."""
    tickets: Mapping[tuple[str, str], Sequence[Ticket]]
    """Tenant and pool to the tickets drawn."""
    requests: int
    contents: Sequence[Item]
    remote_ids: Collection[str]
    """Every id of a record or mail at the vendors."""
    lags: Sequence[Lag]


async def read_ends(
    store: FullStore, tenants: Sequence[str], account: Account, control_url: str, bootstrap: str
) -> Ends:
    """Read all of it."""
    final: dict[Key, str] = {}
    told: dict[Key, tuple[str, ...]] = {}
    parked: list[tuple[str, Parked]] = []
    requests = 0
    for tenant in tenants:
        for outcome in await store.list_outcomes(Scope(tenant)):
            key = Key(outcome.envelope.event_id, outcome.phase.value, outcome.step_id, outcome.generation)
            final[key] = outcome.state.value
            told[key] = tuple(outcome.remote_ids.values())
        parked += [(tenant, row) for row in await store.list_parked(Scope(tenant)) if row.released_at is None]
        requests += (await store.count(Scope(tenant))).get("requests", 0)
    pools = {(plan.tenant, pool) for plan in account.plans.values() for pool, _, _ in plan.tickets}
    tickets = {(tenant, pool): await store.list_tickets(Scope(tenant), pool) for tenant, pool in sorted(pools)}
    state = await _state(control_url)
    return Ends(
        final=final,
        told=told,
        parked=parked,
        tickets=tickets,
        requests=requests,
        contents=items(state),
        remote_ids=frozenset(_ids(state)),
        lags=await asyncio.to_thread(read_lags, bootstrap, group_topics()),
    )


async def stored_outcomes(store: FullStore, tenants: Sequence[str]) -> int:
    """Final states in the store."""
    counts = [await store.count(Scope(tenant)) for tenant in tenants]
    return sum(count.get("outcomes", 0) for count in counts)


def read_lags(bootstrap: str, groups: Mapping[str, Collection[str]]) -> list[Lag]:
    """Where a group's commit is behind the end of the log; a partition without a commit counts from its beginning.

    `groups` to the topics that each reads at least. Blocks; raises KafkaException when the broker does not answer.
    """
    from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
    from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    known = admin.list_topics(timeout=10.0).topics
    commits = {
        (group, topic, partition): 0
        for group, names in groups.items()
        for topic in names
        if topic in known
        for partition in known[topic].partitions
    }
    for group in groups:
        [answer] = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]).values()
        for place in answer.result(timeout=10.0).topic_partitions:
            commits[group, place.topic, place.partition] = max(place.offset, 0)
    wanted = {(topic, partition) for _, topic, partition in commits}
    newest: Any = OffsetSpec
    latest: dict[Any, Any] = {TopicPartition(*place): newest.latest() for place in wanted}
    asked = admin.list_offsets(latest) if latest else {}
    ends = {(place.topic, place.partition): future.result(timeout=10.0).offset for place, future in asked.items()}
    lags = [
        Lag(group, topic, partition, ends[topic, partition] - offset)
        for (group, topic, partition), offset in sorted(commits.items())
    ]
    return [lag for lag in lags if lag.records > 0]


def group_topics() -> dict[str, tuple[str, ...]]:
    """Each daemon's consumer group and the topics that it reads."""
    from consumers.retry import NAME
    from consumers.runtime.daemon import group_of
    from consumers.specs import offline_specs

    groups = {group_of(spec.name, ""): tuple(spec.topics) for spec in offline_specs()}
    return {**groups, group_of(NAME, ""): tuple(RETRY_TIERS)}


def _ids(value: Any) -> Iterator[str]:
    """Every id in a vendor's state, however deep; vendors' own ids do not look alike."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("id", "Id", "message_id"):
                yield str(inner)
            else:
                yield from _ids(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _ids(inner)


async def _state(control_url: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"{control_url}/state") as answer:
        answer.raise_for_status()
        state: dict[str, Any] = await answer.json()
        return state
