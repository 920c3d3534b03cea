"""The judges of the fault runs see what they are there to see: each journal here shows a fault, or just not one."""

from pathlib import Path

import pytest

from ops.chaos.runtime.figures import Figures, Sent, judge
from ops.chaos.runtime.journal import Event, Journal, Line
from ops.chaos.runtime.report import Run, whole

FIRST, SECOND = 100, 200
"""Process ids."""


def sent(number: int, *, key: str | None = None, at: float = 0.0) -> Sent:
    return Sent(number, (key or f"key-{number}").encode(), 0, number, f"event-{number}", at)


def line(event: Event, number: int, at: float, *, pid: int = FIRST, attempt: int = 0) -> Line:
    return Line(event, number, "topic", 0, number, attempt, pid, at)


def handled(number: int, begin: float, end: float, *, pid: int = FIRST, attempt: int = 0) -> list[Line]:
    return [line("start", number, begin, pid=pid, attempt=attempt), line("end", number, end, pid=pid, attempt=attempt)]


def test_records_that_were_handled_once_in_their_order_make_no_figures() -> None:
    lines = [*handled(1, 1.0, 2.0), *handled(2, 2.0, 3.0)]
    figures = judge([sent(1, key="a"), sent(2, key="a")], lines, ordered=True)
    assert figures == Figures((), 0, 0, 0, 0, 0.0, 0, 0, 1.0)


def test_a_record_that_never_ended_is_lost() -> None:
    figures = judge([sent(1), sent(2), sent(3)], [*handled(1, 1.0, 2.0), line("start", 2, 1.0)])
    assert figures.lost == (2, 3)


def test_a_record_that_went_elsewhere_is_not_lost() -> None:
    assert judge([sent(1), sent(2)], handled(1, 1.0, 2.0), elsewhere={2}).lost == ()


def test_a_finished_record_that_is_begun_again_is_counted_with_its_age_at_the_fault() -> None:
    lines = [*handled(1, 1.0, 2.0), *handled(2, 1.0, 5.5), *handled(1, 8.0, 9.0, pid=SECOND)]
    figures = judge([sent(1), sent(2)], lines, faults=[6.0])
    assert (figures.finished_rerun, figures.finished_old, figures.oldest_rerun_seconds) == (1, 1, 4.0)
    assert (figures.duplicates, figures.in_flight_rerun) == (1, 0)


def test_what_finished_in_the_last_second_before_the_fault_is_not_old() -> None:
    lines = [*handled(1, 1.0, 5.5), *handled(1, 8.0, 9.0, pid=SECOND)]
    figures = judge([sent(1)], lines, faults=[6.0])
    assert (figures.finished_rerun, figures.finished_old) == (1, 0)


def test_finished_work_that_is_run_again_without_any_fault_is_old() -> None:
    assert judge([sent(1)], [*handled(1, 1.0, 2.0), *handled(1, 2.1, 3.0)]).finished_old == 1


def test_what_a_commit_told_to_be_finished_and_is_run_again_is_seen() -> None:
    lines = [*handled(1, 1.0, 5.9), *handled(2, 1.0, 5.9), *handled(1, 8.0, 9.0), *handled(2, 8.0, 9.0)]
    assert judge([sent(1), sent(2)], lines, faults=[6.0], committed={1}).committed_rerun == 1


def test_a_record_that_was_under_way_is_an_in_flight_rerun() -> None:
    lines = [line("start", 1, 1.0), *handled(1, 8.0, 9.0, pid=SECOND)]
    figures = judge([sent(1)], lines, faults=[6.0])
    assert (figures.lost, figures.in_flight_rerun, figures.finished_rerun) == ((), 1, 0)


def test_another_process_that_begins_it_meanwhile_is_an_in_flight_rerun_and_its_end_a_duplicate() -> None:
    lines = [*handled(1, 1.0, 5.0), *handled(1, 2.0, 3.0, pid=SECOND)]
    figures = judge([sent(1)], lines)
    assert (figures.in_flight_rerun, figures.finished_rerun, figures.duplicates) == (1, 0, 1)


def test_a_retry_is_another_run_and_no_rerun() -> None:
    lines = [line("start", 1, 1.0), line("failed", 1, 1.1), *handled(1, 11.0, 12.0, attempt=1)]
    figures = judge([sent(1)], lines)
    assert (figures.lost, figures.in_flight_rerun, figures.finished_rerun) == ((), 0, 0)


@pytest.mark.parametrize("pid", [FIRST, SECOND])
def test_a_record_begun_before_an_earlier_one_of_its_key_ended_breaks_the_order(pid: int) -> None:
    lines = [*handled(1, 1.0, 3.0), *handled(2, 2.9, 4.0, pid=pid)]
    assert judge([sent(1, key="a"), sent(2, key="a")], lines, ordered=True).order_breaks == 1
    assert judge([sent(1, key="a"), sent(2, key="b")], lines, ordered=True).order_breaks == 0


def test_a_record_begun_though_an_earlier_one_of_its_key_never_ended_breaks_the_order() -> None:
    lines = [line("start", 1, 1.0), *handled(2, 8.0, 9.0, pid=SECOND)]
    assert judge([sent(1, key="a"), sent(2, key="a")], lines, ordered=True).order_breaks == 1


def test_two_handlers_of_a_key_at_a_time_in_one_process_break_the_order_though_both_ran_before() -> None:
    lines = [*handled(1, 1.0, 2.0), *handled(2, 2.0, 3.0), *handled(1, 8.0, 9.0), *handled(2, 8.5, 9.5)]
    assert judge([sent(1, key="a"), sent(2, key="a")], lines, ordered=True).order_breaks == 1


def test_a_cancelled_handler_holds_its_key_no_longer() -> None:
    lines = [line("start", 1, 1.0), line("cancelled", 1, 2.0), *handled(1, 3.0, 4.0), *handled(2, 4.0, 5.0)]
    assert judge([sent(1, key="a"), sent(2, key="a")], lines, ordered=True).order_breaks == 0


def test_records_that_went_elsewhere_hold_nobody_to_their_order() -> None:
    lines = [line("start", 1, 1.0), line("failed", 1, 1.5), *handled(2, 2.0, 3.0)]
    assert judge([sent(1, key="a"), sent(2, key="a")], lines, elsewhere={1}, ordered=True).order_breaks == 0


def test_a_pause_with_work_waiting_is_a_stall() -> None:
    lines = [*handled(1, 0.0, 1.0), *handled(2, 9.0, 10.0)]
    assert judge([sent(1), sent(2)], lines).stall_seconds == 8.0


def test_a_pause_without_work_is_no_stall() -> None:
    lines = [*handled(1, 0.0, 1.0), *handled(2, 9.5, 10.0)]
    assert judge([sent(1), sent(2, at=9.0)], lines).stall_seconds == 0.5


def test_long_handlers_with_nothing_waiting_behind_them_are_no_stall() -> None:
    assert judge([sent(1)], handled(1, 0.5, 60.0)).stall_seconds == 0.0


def test_a_record_that_nobody_ever_begins_stalls_until_the_end() -> None:
    lines = handled(1, 0.0, 1.0)
    assert judge([sent(1), sent(2)], lines, until=20.0).stall_seconds == 19.0
    assert judge([sent(1), sent(2)], lines, elsewhere={2}, until=20.0).stall_seconds == 0.0


def test_a_stall_outside_of_the_time_that_is_asked_about_does_not_count() -> None:
    lines = [*handled(1, 0.0, 1.0), *handled(2, 9.0, 10.0), *handled(3, 10.0, 11.0)]
    assert judge([sent(1), sent(2), sent(3)], lines, since=9.0, until=11.0).stall_seconds == 1.0


def test_a_lost_record_and_a_broken_promise_are_in_the_answer_and_a_peers_are_not_findings() -> None:
    figures = judge([sent(1)], [])
    ours = Run("kill", 1, 1, figures)
    ours.promise("nothing is lost", False)
    peer = Run("peer: somebody's", 1, 1, figures, counts=False)
    peer.promise("nothing is lost", False)
    answer = whole([ours, peer], quick=True)
    assert (answer["lost"], answer["broken"]) == (1, ["kill: nothing is lost"])
    assert [run["lost"] for run in answer["runs"]] == [1, 1]


def test_a_rerun_whose_age_is_unknown_can_be_written_as_json() -> None:
    run = Run("kill", 1, 1, judge([sent(1)], [*handled(1, 1.0, 2.0), *handled(1, 3.0, 4.0)]))
    assert run.as_json()["oldest_rerun_seconds"] is None


def test_the_journal_is_read_while_it_is_written_and_half_a_line_waits(tmp_path: Path) -> None:
    journal, reader = Journal(tmp_path / "journal"), Journal(tmp_path / "journal")
    assert reader.lines() == []
    journal.write("start", 7, "topic", 1, 2)
    with journal.path.open("ab") as file:
        file.write(b'{"event": "end", ')
        file.flush()
        assert reader.numbers("start") == [7]
        file.write(b'"number": 7, "topic": "topic", "partition": 1, "offset": 2, "attempt": 0, "pid": 5, "at": 1.5}\n')
    assert reader.numbers("end", 5) == [7]
    assert [one.number for one in reader.lines()] == [7, 7]
