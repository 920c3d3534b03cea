"""When a tenant is parked, when a release is taken for bad, and what is held until then."""

from hypothesis import given
from hypothesis import strategies as st

from consumers.runtime.limits import NOBODY, PROBATION_LIMIT, Fate, Limits
from consumers.runtime.settings import RuntimeSettings

PAUSE = 600.0
WINDOW = 600.0


def limits(*, probation: bool = False, room: int = 125, **settings: float) -> Limits:
    given_settings = {"probation_records": 50 if probation else 0, **settings}
    return Limits(RuntimeSettings.model_validate(given_settings), room=room, now=0.0)


def fine(counts: Limits, tenant: str, records: int = 1, *, now: float = 1.0) -> bool:
    return [counts.fine(tenant, now) for _ in range(records)].count(True) == 1


def dead(counts: Limits, tenant: str, records: int = 1, *, now: float = 1.0, reason: str = "refused") -> list[Fate]:
    return [counts.dead(tenant, reason, now) for _ in range(records)]


# one tenant ----------------------------------------------------------------------------------------------------------


def test_a_tenant_is_parked_from_the_failure_on_that_reaches_number_and_ratio() -> None:
    counts = limits()
    fine(counts, "other", 5)
    fine(counts, "acme", 20)
    assert dead(counts, "acme", 10) == [Fate.BURY] * 9 + [Fate.PARK]
    assert counts.parks("acme", 1.0)
    assert not counts.parks("other", 1.0)
    assert counts.over(1.0) == {"acme"}


def test_many_failures_of_a_busy_tenant_are_too_few_of_all_to_park_it() -> None:
    counts = limits()
    fine(counts, "acme", 100)
    assert dead(counts, "acme", 20) == [Fate.BURY] * 20
    assert not counts.parks("acme", 1.0)


def test_failures_that_lie_apart_do_not_add_up() -> None:
    counts = limits()
    for number in range(40):
        assert dead(counts, "acme", now=number * WINDOW / 8) == [Fate.BURY]


def test_a_paused_tenant_is_tried_again_and_one_more_failure_pauses_it_again() -> None:
    counts = limits()
    dead(counts, "acme", 10)
    assert counts.parks("acme", PAUSE)
    assert counts.pause_left("acme", PAUSE) == 1.0
    later = PAUSE + 1.0
    assert not counts.parks("acme", later)
    assert dead(counts, "acme", now=later) == [Fate.PARK]
    assert counts.parks("acme", later)


def test_a_tenant_whose_records_go_well_after_its_pause_has_the_whole_limit_again() -> None:
    counts = limits()
    dead(counts, "acme", 10)
    later = PAUSE + 1.0
    assert not counts.parks("acme", later)
    fine(counts, "acme", 10, now=later)
    assert dead(counts, "acme", 9, now=later) == [Fate.BURY] * 9


def test_records_of_nobody_are_never_parked() -> None:
    counts = limits()
    assert dead(counts, NOBODY, 30) == [Fate.BURY] * 30
    assert not counts.parks(NOBODY, 1.0)


@given(st.lists(st.booleans(), max_size=300), st.integers(0, 60))
def test_one_tenant_alone_never_stops_a_daemon_that_holds_what_it_can(goes_well: list[bool], step: int) -> None:
    counts = limits(probation=True, room=10)
    fates = set()
    for number, well in enumerate(goes_well):
        now = float(number * step)
        if well:
            counts.fine("acme", now)
        else:
            fates.add(counts.dead("acme", "refused", now))
    assert Fate.HALT not in fates


# a bad release -------------------------------------------------------------------------------------------------------


def test_three_tenants_over_the_limits_are_a_bad_release_though_others_do_well() -> None:
    counts = limits()
    fine(counts, "fine", 1_000)
    for tenant in ("a", "b"):
        assert dead(counts, tenant, 10)[-1] is Fate.PARK
    assert dead(counts, "c", 10) == [Fate.BURY] * 9 + [Fate.HALT]
    assert dead(counts, "fine") == [Fate.HALT]
    assert counts.over(1.0) == {"a", "b", "c"}


def test_both_of_two_active_tenants_over_the_limits_are_a_bad_release() -> None:
    counts = limits()
    fine(counts, "rarely", 2)
    dead(counts, "a", 10)
    assert dead(counts, "b", 10)[-1] is Fate.HALT


def test_two_tenants_over_the_limits_are_their_own_matter_while_a_third_does_well() -> None:
    counts = limits()
    fine(counts, "fine", 3)
    for tenant in ("a", "b"):
        assert dead(counts, tenant, 30)[-1] is Fate.PARK


def test_unreadable_tenants_count_as_one() -> None:
    counts = limits()
    fine(counts, "fine", 3)
    dead(counts, NOBODY, 30)
    dead(counts, "a", 30)
    assert dead(counts, "b", 10)[-1] is Fate.HALT


def test_tenants_that_were_over_at_different_times_are_no_bad_release() -> None:
    counts = limits(dead_letter_pause_seconds=60.0)
    fine(counts, "fine", 3, now=0.0)
    for number, tenant in enumerate(("a", "b", "c", "d")):
        assert dead(counts, tenant, 10, now=number * 61.0)[-1] is Fate.PARK


# probation -----------------------------------------------------------------------------------------------------------


def test_on_probation_what_fails_is_held_until_enough_has_finished_well() -> None:
    counts = limits(probation=True)
    assert dead(counts, "acme") == [Fate.HOLD]
    assert not fine(counts, "acme", 48)
    assert fine(counts, "acme")
    assert not counts.on_probation(1.0)
    counts.unhold("acme")
    assert dead(counts, "acme") == [Fate.BURY]


def test_probation_does_not_end_well_while_too_much_fails() -> None:
    counts = limits(probation=True)
    for number in range(30):
        assert dead(counts, f"tenant-{number}") == [Fate.HOLD]
    assert not fine(counts, "fine", 70)
    assert fine(counts, "fine", 1)


def test_a_tenant_that_always_fails_does_not_keep_the_daemon_on_probation() -> None:
    counts = limits(probation=True)
    assert set(dead(counts, "broken", 100)) == {Fate.HOLD}
    assert fine(counts, "fine", 50)
    for _ in range(100):
        counts.unhold("broken")
        assert dead(counts, "broken") == [Fate.PARK]


def test_probation_ends_with_its_time_and_not_at_all_after_a_stop_by_the_limits() -> None:
    quiet, strict = limits(probation=True), limits(probation=True)
    strict.distrust()
    assert (quiet.probation_left(100.0), strict.probation_left(100.0)) == (500.0, None)
    assert quiet.on_probation(599.0)
    assert not quiet.on_probation(600.0)
    assert strict.on_probation(1e9)
    assert fine(strict, "acme", 50)
    assert not strict.on_probation(1e9)


def test_a_stop_of_another_does_not_shake_a_daemon_that_has_proven_itself() -> None:
    counts = limits(probation=True)
    fine(counts, "acme", 50)
    counts.distrust()
    assert not counts.on_probation(1.0)


def test_on_probation_three_failures_of_three_tenants_stop_the_daemon() -> None:
    counts = limits(probation=True)
    fates = [fate for _ in range(PROBATION_LIMIT) for tenant in ("a", "b", "c") for fate in dead(counts, tenant)]
    assert fates == [Fate.HOLD] * 7 + [Fate.HALT] * 2  # two are over, and the third is not active yet
    assert counts.held == 9


def test_when_no_more_can_be_held_the_tenant_over_the_limits_waits_in_the_store() -> None:
    counts = limits(probation=True, room=5)
    assert dead(counts, "acme", 7) == [Fate.HOLD] * 5 + [Fate.DEFER] * 2
    assert counts.held == 5
    assert counts.parks("acme", 1.0)
    counts.unhold("acme")
    assert not counts.parks("acme", 1.0)


def test_when_no_more_can_be_held_and_no_tenant_stands_out_the_daemon_stops() -> None:
    counts = limits(probation=True, room=5)
    fates = [fate for number in range(6) for fate in dead(counts, f"tenant-{number}")]
    assert fates == [Fate.HOLD] * 5 + [Fate.HALT]
    assert counts.failing() == {f"tenant-{number}" for number in range(6)}


Steps = st.lists(st.tuples(st.sampled_from(["a", "b", "c", ""]), st.booleans(), st.integers(0, 400)), max_size=200)


@given(Steps, st.booleans())
def test_on_probation_nothing_is_ever_buried_or_left_to_a_person(
    steps: list[tuple[str, bool, int]], strict: bool
) -> None:
    counts, now, held = limits(probation=True, room=8), 0.0, 0
    if strict:
        counts.distrust()
    for tenant, well, seconds in steps:
        now += seconds
        probation = counts.on_probation(now)
        if well:
            counts.fine(tenant, now)
            continue
        fate = counts.dead(tenant, "refused", now)
        held += fate in (Fate.HOLD, Fate.HALT)
        assert counts.held == held
        if probation:
            assert fate in (Fate.HOLD, Fate.HALT, Fate.DEFER)
        elif not counts.halted:
            assert fate in (Fate.BURY, Fate.PARK)
        if counts.halted:
            return


def test_reasons_and_beginning_are_told_of_the_failures_that_count() -> None:
    counts = limits()
    dead(counts, "acme", 1, now=10.0, reason="old")
    dead(counts, "acme", 9, now=2_000.0, reason="handler_failed")
    dead(counts, "acme", 1, now=2_001.0, reason="schema")
    assert counts.reasons("acme") == {"handler_failed", "schema"}
    assert counts.first_dead("acme") == 2_000.0


def test_a_thousand_tenants_are_counted_apart() -> None:
    counts = limits()
    for number in range(1_000):
        fine(counts, f"tenant-{number}", 30)
        assert dead(counts, f"tenant-{number}", 9) == [Fate.BURY] * 9
