"""How a group's partitions are shared out."""

from collections import Counter

import pytest
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.structs import TopicPartition

from consumers.runtime.sharing_out import SharingOut

LEADS, OVERFLOW = "leads", "leads.overflow"
Shares = dict[str, list[TopicPartition]]


class Topics:
    """What an assignor asks of aiokafka's cluster metadata."""

    def __init__(self, **partitions: int) -> None:
        self._partitions = {LEADS: 12, OVERFLOW: 12} | partitions

    def topics(self) -> set[str]:
        return set(self._partitions)

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        count = self._partitions.get(topic)
        return None if count is None else set(range(count))


class Group:
    """Members, each with an assignor of its own; the first is the leader."""

    def __init__(self, topics: Topics | None = None) -> None:
        self.topics = topics or Topics()
        self.members: dict[str, SharingOut] = {}
        self.reads: dict[str, list[str]] = {}

    def join(self, member: str, *reads: str) -> None:
        self.members[member] = SharingOut()
        self.reads[member] = list(reads) or [LEADS, OVERFLOW]

    def leave(self, member: str) -> None:
        del self.members[member]

    def share_out(self) -> Shares:
        told = {member: assignor.metadata(self.reads[member]) for member, assignor in self.members.items()}
        shares = next(iter(self.members.values())).assign(self.topics, told)
        for member, share in shares.items():
            self.members[member].on_assignment(share)
        return {member: share.partitions() for member, share in shares.items()}


def counts(shares: Shares) -> dict[str, dict[str, int]]:
    return {member: dict(Counter(partition.topic for partition in share)) for member, share in shares.items()}


@pytest.mark.parametrize("members", [1, 2, 3, 4, 5, 12])
def test_each_topic_is_shared_out_evenly_and_completely(members: int) -> None:
    group = Group()
    for number in range(members):
        group.join(f"member-{number}")
        shares = group.share_out()
    assert sorted(p for share in shares.values() for p in share) == sorted(
        TopicPartition(topic, number) for topic in (LEADS, OVERFLOW) for number in range(12)
    )
    for topic in (LEADS, OVERFLOW):
        held = [sum(partition.topic == topic for partition in share) for share in shares.values()]
        assert max(held) - min(held) <= 1


def test_a_second_member_gets_half_of_the_work_and_not_the_empty_overflow_topic() -> None:
    group = Group()
    group.join("a")
    group.share_out()
    group.join("b")
    assert counts(group.share_out()) == {name: {LEADS: 6, OVERFLOW: 6} for name in "ab"}


def test_who_stays_keeps_what_it_had_but_for_what_a_newcomer_needs() -> None:
    group = Group()
    for member in "abc":
        group.join(member)
    before = group.share_out()
    group.join("d")
    joined = group.share_out()
    assert all(set(joined[member]) < set(before[member]) for member in "abc")
    assert len(joined["d"]) == 6
    group.leave("d")
    left = group.share_out()
    assert all(set(joined[member]) < set(left[member]) for member in "abc")


def test_nothing_moves_when_nothing_has_changed() -> None:
    group = Group()
    for member in "abcde":
        group.join(member)
    before = group.share_out()
    assert group.share_out() == before


def test_who_gets_one_more_changes_from_topic_to_topic() -> None:
    tiers = [f"tier-{number}" for number in range(8)]
    group = Group(Topics(**dict.fromkeys(tiers, 3)))
    group.join("a", *tiers)
    group.join("b", *tiers)
    held = {member: len(share) for member, share in group.share_out().items()}
    assert sum(held.values()) == 24
    assert max(held.values()) < 16


def test_members_that_read_other_topics_during_an_upgrade_get_only_what_they_read() -> None:
    group = Group()
    group.join("old", LEADS)
    group.join("new", LEADS, OVERFLOW)
    assert counts(group.share_out()) == {"old": {LEADS: 6}, "new": {LEADS: 6, OVERFLOW: 12}}


def test_it_speaks_as_aiokafkas_sticky_assignor_so_both_can_be_in_one_group() -> None:
    ours = SharingOut()
    had = StickyPartitionAssignor.assign(Topics(), {"a": ours.metadata([LEADS])})["a"]
    ours.on_assignment(had)
    assert ours.name == "sticky"
    told = StickyPartitionAssignor.parse_member_metadata(ours.metadata([LEADS]))
    assert told.partitions == had.partitions()


def test_two_consumers_of_one_process_do_not_mix_up_what_they_have() -> None:
    one, other = SharingOut(), SharingOut()
    one.on_assignment(one.assign(Topics(), {"a": one.metadata([LEADS])})["a"])
    assert StickyPartitionAssignor.parse_member_metadata(other.metadata([OVERFLOW])).partitions == []


def test_a_topic_that_is_not_there_is_left_out() -> None:
    group = Group()
    group.join("a", LEADS, "gone")
    assert counts(group.share_out()) == {"a": {LEADS: 12}}
