"""The offset ledger against a model that remembers everything."""

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.runtime.offsets import METADATA_BUDGET, Ledger, decode, encode


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


@given(st.integers(0, 2**50), st.sets(st.integers(1, 20_000), max_size=300), st.integers(40, METADATA_BUDGET))
@settings(max_examples=60)
def test_metadata_fits_its_budget_and_never_claims_more_than_was_finished(
    low: int, distances: set[int], budget: int
) -> None:
    finished = {low + distance for distance in distances}
    text = encode(low, finished, budget)
    assert len(text) <= budget
    told = decode(low, text)
    assert told <= finished
    assert told == {offset for offset in finished if offset <= max(told, default=low)}


def test_a_full_span_of_alternating_records_fits_the_budget() -> None:
    finished = set(range(1, 8_000, 2))
    assert decode(0, encode(0, finished)) == finished


@given(st.text(max_size=60) | st.builds("1:{}".format, st.text(max_size=60)) | st.none())
def test_a_damaged_or_foreign_text_says_nothing_false_and_never_fails(text: str | None) -> None:
    assert all(offset >= 0 for offset in decode(0, text))


def test_a_text_of_another_version_says_nothing() -> None:
    assert decode(5, "2:" + encode(5, {7}).removeprefix("1:")) == frozenset()


def test_a_gap_of_millions_costs_no_memory() -> None:
    assert decode(0, encode(0, {3, 10**12})) == {3}


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
