"""The offset ledger against a model that remembers everything."""

import base64
import zlib
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consumers.runtime.commit_text import METADATA_BUDGET, NOTHING, Told, decode, encode, read
from consumers.runtime.offsets import Ledger


class Model:
    """Brute force: every offset that ever was, and what became of it."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.seen: list[int] = []
        self.finished: set[int] = set()

    @property
    def low(self) -> int:
        unfinished = [offset for offset in self.seen if offset not in self.finished]
        return unfinished[0] if unfinished else (self.seen[-1] + 1 if self.seen else self.start)


gaps = st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=60)
"""Distances between offsets: more than 1 where compaction or a transaction took records away."""


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, list[tuple[str, int]]]:
    """Where a partition begins, and sights and ends of its records in an order that can happen."""
    start = draw(st.integers(min_value=0, max_value=10_000))
    offsets, offset = [], start + draw(st.integers(min_value=0, max_value=30))
    for gap in draw(gaps):
        offsets.append(offset)
        offset += gap
    steps: list[tuple[str, int]] = []
    open_ones: list[int] = []
    for offset in offsets:
        steps.append(("see", offset))
        open_ones.append(offset)
        for _ in range(draw(st.integers(min_value=0, max_value=2))):
            if open_ones:
                steps.append(("finish", open_ones.pop(draw(st.integers(0, len(open_ones) - 1)))))
    return start, steps


def replay(ledger: Ledger, model: Model, steps: list[tuple[str, int]]) -> None:
    for step, offset in steps:
        if step == "see":
            assert ledger.see(offset)
            model.seen.append(offset)
        else:
            ledger.finish(offset)
            model.finished.add(offset)
        assert ledger.low == model.low
        assert ledger.open == len(model.seen) - len(model.finished)
        assert ledger.next == model.seen[-1] + 1


@given(histories())
def test_the_commit_is_always_the_first_unfinished_record(history: tuple[int, list[tuple[str, int]]]) -> None:
    start, steps = history
    replay(Ledger(start), Model(start), steps)


@given(histories())
def test_an_heir_works_on_exactly_what_was_not_finished(history: tuple[int, list[tuple[str, int]]]) -> None:
    start, steps = history
    ledger, model = Ledger(start), Model(start)
    replay(ledger, model, steps)
    low, metadata, _ = ledger.snapshot()
    heir = Ledger(low, decode(low, metadata))
    worked_on = [offset for offset in model.seen if offset >= low and heir.see(offset)]
    assert worked_on == [offset for offset in model.seen if offset not in model.finished]
    for offset in worked_on:
        heir.finish(offset)
    assert heir.low == max(low, model.seen[-1] + 1)


@given(histories())
def test_an_heir_that_dies_before_reading_anything_passes_on_all_it_inherited(
    history: tuple[int, list[tuple[str, int]]],
) -> None:
    start, steps = history
    ledger, model = Ledger(start), Model(start)
    replay(ledger, model, steps)
    low, metadata, _ = ledger.snapshot()
    assert Ledger(low, decode(low, metadata)).snapshot()[:2] == (low, metadata)


class Lives(RuleBasedStateMachine):
    """One partition over the lives of its owners, against a record of everything that happened."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[int] = []
        """Offsets that hold records; the others were taken by compaction and transactions."""
        self.commit = (0, "")
        self.ledger = Ledger(0)
        self.owner: Model = Model(0)
        self.ever_finished: set[int] = set()
        self.told: frozenset[int] = frozenset()
        """What the commit tells, besides that all below it is done."""
        self.inherited: frozenset[int] = frozenset()
        """What the present owner was told."""

    @rule(distances=st.lists(st.integers(1, 30), min_size=1, max_size=20))
    def records_arrive(self, distances: list[int]) -> None:
        offset = self.log[-1] if self.log else -1
        for distance in distances:
            offset += distance
            self.log.append(offset)

    @rule(count=st.integers(1, 30), together=st.booleans())
    def read(self, count: int, together: bool) -> None:
        self._take([offset for offset in self.log if offset >= self.ledger.next][:count], together)

    @rule(back=st.integers(0, 60), together=st.booleans())
    def read_again_after_a_seek(self, back: int, together: bool) -> None:
        """Never below where the ledger began: that would be another log."""
        first = max(self.ledger.next - back, self.ledger.start)
        self._take([offset for offset in self.log if first <= offset < self.ledger.next], together)

    @precondition(lambda self: self.ledger.open)
    @rule(data=st.data(), together=st.booleans())
    def finish(self, data: st.DataObject, together: bool) -> None:
        unfinished = [offset for offset in self.owner.seen if offset not in self.owner.finished]
        ended = data.draw(st.lists(st.sampled_from(unfinished), unique=True, max_size=12))
        if together:
            self.ledger.finish_many(ended)
        else:
            for offset in ended:
                self.ledger.finish(offset)
        self.owner.finished.update(ended)
        self.ever_finished.update(ended)

    @rule(budget=st.sampled_from([60, 80, METADATA_BUDGET]), topic_id=st.sampled_from([None, "id-1"]))
    def commit_it(self, budget: int, topic_id: str | None) -> None:
        self.ledger.topic_id = topic_id
        low, text, version = self.ledger.snapshot(budget)
        assert len(text) <= budget
        self.ledger.committed(version)
        assert not self.ledger.dirty
        assert self.ledger.wrote(low, text)
        self.commit = (low, text)
        self.told = decode(low, text)
        assert self.told <= self.ever_finished
        beyond = {offset for offset in self.owner.finished | self.inherited if offset > low}
        if budget == METADATA_BUDGET:
            assert beyond <= self.told, "nothing is left out for lack of room"
        assert self.told == {offset for offset in beyond if offset <= max(self.told, default=low)}

    @rule()
    def crash(self) -> None:
        low, _ = self.commit
        self.ledger = Ledger(low, self.told, commit=self.commit)
        self.owner = Model(low)
        self.inherited = self.told

    @invariant()
    def nothing_unfinished_is_committed(self) -> None:
        low = self.ledger.low
        assert all(offset in self.ever_finished for offset in self.log if offset < low)
        assert self.ledger.open == len(self.owner.seen) - len(self.owner.finished)
        assert all(low <= offset for offset in self.owner.seen if offset not in self.owner.finished)

    def _take(self, offsets: list[int], together: bool) -> None:
        wanted = list(self.ledger.see_many(offsets)) if together else [o for o in offsets if self.ledger.see(o)]
        known = set(self.owner.seen)
        expected = [offset for offset in offsets if offset not in known and offset not in self.inherited]
        assert wanted == expected, "exactly what is not known to be finished is worked on, and once"
        self.owner.seen += wanted


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


@given(st.integers(0, 2**50), st.sets(st.integers(1, 20_000), max_size=300), st.integers(60, METADATA_BUDGET))
@settings(max_examples=60)
def test_metadata_fits_its_budget_and_never_claims_more_than_was_finished(
    low: int, distances: set[int], budget: int
) -> None:
    finished = {low + distance for distance in distances}
    text = encode(low, finished, budget, topic_id="BhFhfuAaSqaVYUI_bcJplQ", halted=True)
    assert len(text) <= budget
    told = read(low, text)
    assert (told.topic_id, told.halted) == ("BhFhfuAaSqaVYUI_bcJplQ", True)
    assert told.finished == {offset for offset in finished if offset <= max(told.finished, default=low)}


@given(st.integers(0, 2**50), st.sets(st.integers(1, 5_000_000), max_size=100))
def test_wide_gaps_of_a_compacted_log_fit_as_runs(low: int, distances: set[int]) -> None:
    finished = {low + distance for distance in distances}
    assert decode(low, encode(low, finished)) == finished


def test_a_full_span_of_alternating_records_fits_the_budget() -> None:
    finished = set(range(1, 8_000, 2))
    assert decode(0, encode(0, finished)) == finished


@pytest.mark.parametrize("part", [0.01, 0.1, 0.5, 0.9, 0.99])
def test_a_full_span_finished_at_random_fits_the_budget_with_room(part: float) -> None:
    chance = Random(7)
    finished = {offset for offset in range(1, 8_000) if chance.random() < part}
    text = encode(0, finished, topic_id="BhFhfuAaSqaVYUI_bcJplQ")
    assert decode(0, text) == finished
    assert len(text) < METADATA_BUDGET / 2


def test_what_does_not_fit_is_left_out_from_the_top() -> None:
    chance = Random(7)
    finished = sorted(chance.sample(range(1, 100_000), 50_000))
    told = sorted(decode(0, encode(0, finished)))
    assert len(told) * 2 > 20_000 * 0.9
    assert told == finished[: len(told)]


@given(st.text(max_size=60) | st.builds("{}:{}".format, st.sampled_from("123"), st.text(max_size=60)) | st.none())
def test_a_foreign_text_says_nothing_false_and_never_fails(text: str | None) -> None:
    assert read(0, text) == NOTHING


@given(st.integers(0, 1_000), st.sets(st.integers(1, 900), min_size=1), st.data())
def test_a_damaged_text_and_that_of_another_offset_say_nothing(
    low: int, distances: set[int], data: st.DataObject
) -> None:
    text = encode(low, {low + distance for distance in distances}, topic_id="id-1")
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda char: char != text[place]))
    damaged = text[:place] + other + text[place + 1 :]
    assert not read(low, damaged).finished or damaged.startswith("1:")
    assert read(low, text[:place]) == NOTHING
    assert read(low + 1, text) == NOTHING


def version_1(bitmap: bytes) -> str:
    return "1:" + base64.b64encode(zlib.compress(bitmap)).decode()


def test_texts_of_version_1_are_read() -> None:
    assert read(10, version_1(bytes([0b1010]))) == Told(finished=frozenset({11, 13}))


def test_a_text_of_a_newer_version_says_nothing() -> None:
    assert read(5, "3" + encode(5, {7}).removeprefix("2")) == NOTHING


def checked(low: int, text: str) -> str:
    return f"{text}:{zlib.crc32(f'{low} {text}'.encode()):08x}"


@pytest.mark.parametrize(
    "content",
    [
        b"r" + bytes([1]) + b"\xff" * 8 + b"\x01",
        b"r" + b"\x01\x01" * 200_000,
        b"b" + b"\xff" * 10_000_000,
        b"r\x80",
        b"x",
    ],
    ids=["a run without end", "too many runs", "a bitmap without end", "a number cut off", "an unknown form"],
)
def test_a_hostile_text_costs_no_memory_and_says_nothing(content: bytes) -> None:
    body = content[:1].decode() + base64.b64encode(zlib.compress(content[1:])).decode()
    assert read(0, checked(0, f"2:::{body}")) == NOTHING
    assert read(0, version_1(b"\xff" * 10_000_000)) == NOTHING


def test_a_text_can_tell_the_topic_and_the_flag_alone_and_nothing_to_tell_is_no_text() -> None:
    assert encode(5, ()) == ""
    assert read(5, encode(5, (), topic_id="id-1")) == Told(topic_id="id-1")
    assert read(5, encode(5, {9}, halted=True)) == Told(halted=True, finished=frozenset({9}))
    assert encode(5, (), topic_id="not:an id") == ""


def test_a_record_that_comes_again_is_known() -> None:
    ledger = Ledger(5)
    assert [ledger.see(offset) for offset in (5, 6, 5, 6)] == [True, True, False, False]
    ledger.finish(5)
    assert not ledger.see(5)
    assert ledger.low == 6


def test_finishing_what_was_never_seen_or_twice_changes_nothing() -> None:
    ledger = Ledger(0)
    ledger.see(0)
    ledger.see(5)
    for offset in (3, 99, 5, 5):
        ledger.finish(offset)
    assert (ledger.low, ledger.open, ledger.tracked) == (0, 1, 2)


def test_a_first_record_below_the_commit_means_another_log_and_nothing_is_skipped() -> None:
    ledger = Ledger(100, {103, 104})
    assert all(ledger.see(offset) for offset in range(105))
    assert ledger.low == 0


def test_what_changes_while_a_commit_is_under_way_stays_dirty() -> None:
    ledger = Ledger(0)
    ledger.see(0)
    ledger.see(1)
    ledger.finish(0)
    _, _, version = ledger.snapshot()
    ledger.finish(1)
    ledger.committed(version)
    assert ledger.dirty
    ledger.committed(ledger.snapshot()[2])
    assert not ledger.dirty


def test_a_record_that_arrives_is_nothing_to_commit_and_one_that_ends_is() -> None:
    ledger = Ledger(3, commit=(3, ""))
    ledger.see(3)
    assert not ledger.dirty
    ledger.finish(3)
    assert ledger.dirty


@pytest.mark.parametrize("change", ["topic_id", "halted"])
def test_what_else_a_commit_tells_makes_it_due_when_it_changes(change: str) -> None:
    ledger = Ledger(3)
    setattr(ledger, change, ledger.topic_id if change == "topic_id" else ledger.halted)
    assert not ledger.dirty
    setattr(ledger, change, "id-1" if change == "topic_id" else True)
    assert ledger.dirty


def test_a_ledger_knows_its_own_commits_from_anothers() -> None:
    ledger = Ledger(3, commit=(3, "text"))
    ledger.see_many([3, 4])
    ledger.finish(4)
    low, text, _ = ledger.snapshot()
    assert ledger.wrote(3, "text")
    assert ledger.wrote(low, text)
    assert not ledger.wrote(3, "another text")
    assert not ledger.wrote(4, "text")


def test_records_that_do_not_come_in_order_are_taken_one_by_one() -> None:
    ledger = Ledger(0)
    assert list(ledger.see_many([0, 2, 1, 5])) == [0, 2, 5]
    assert list(ledger.see_many([])) == []
    assert list(ledger.see_many([4, 5, 6])) == [6]


def test_inherited_records_that_were_removed_from_the_log_are_forgotten() -> None:
    ledger = Ledger(0, {3, 5})
    assert list(ledger.see_many([0, 9])) == [0, 9]
    low, text, _ = ledger.snapshot()
    assert decode(low, text) == frozenset()
