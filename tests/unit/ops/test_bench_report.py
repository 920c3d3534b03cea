"""What a measurement says: medians, ratios, goals, and the shape that `--json` promises."""

from io import StringIO

import pytest
from rich.console import Console

from ops.bench.peers.measuring import Tally, late_by, percentile
from ops.bench.progress import progress, show
from ops.bench.report import Report, compare, this_machine

PROMISED = {"name", "unit", "ours", "peer", "peer_value", "ratio", "runs"}


def test_a_row_holds_medians_their_ratio_and_every_single_run() -> None:
    row = compare("rate", "records/s", [10.0, 30.0, 20.0], "a peer", [40.0, 1000.0, 10.0])
    assert (row.ours, row.peer_value, row.ratio) == (20.0, 40.0, 0.5)
    assert row.runs == {"ours": [10.0, 30.0, 20.0], "peer": [40.0, 1000.0, 10.0]}


def test_a_row_without_a_peer_has_no_ratio() -> None:
    row = compare("latency", "ms", [1.0, 2.0], better="lower")
    assert (row.ours, row.peer, row.peer_value, row.ratio) == (1.5, None, None, None)
    assert row.runs == {"ours": [1.0, 2.0]}


def test_a_peer_that_did_nothing_gives_no_ratio_and_no_crash() -> None:
    assert compare("rate", "records/s", [10.0], "a peer", [0.0]).ratio is None


def test_a_side_that_was_never_run_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        compare("rate", "records/s", [])
    with pytest.raises(ValueError, match="nothing was measured"):
        compare("rate", "records/s", [1.0], "a peer", [])


def test_a_goal_is_met_from_above_or_from_below() -> None:
    assert compare("rate", "records/s", [6.0], "a peer", [10.0], goal=0.6).met is True
    assert compare("rate", "records/s", [5.0], "a peer", [10.0], goal=0.6).met is False
    assert compare("latency", "ms", [5.0], better="lower", goal=10.0).met is True
    assert compare("latency", "ms", [11.0], better="lower", goal=10.0).met is False
    assert compare("rate", "records/s", [5.0]).met is None


def test_the_report_has_the_promised_shape() -> None:
    report = Report("runtime", this_machine(), [compare("rate", "records/s", [1.0], "a peer", [2.0])])
    value = report.as_json()
    assert value.keys() == {"bench", "machine", "results"}
    assert value["results"][0].keys() >= PROMISED
    assert value["machine"]["cpus"]
    assert value["machine"]["python"]


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(1, 101)]
    assert percentile(values, 0.5) == 50.0
    assert percentile(values, 0.99) == 99.0
    assert percentile(values, 1.0) == 100.0
    assert percentile([7.0], 0.99) == 7.0
    assert percentile([], 0.5) == 0.0


def test_delay_to_start_is_measured_against_full_slots() -> None:
    # Two slots, one second each: starts are due at 0, 0, 1, 1, 2.
    assert late_by([100.0, 101.5, 100.25, 101.0, 103.0], 2, 1.0) == [0.0, 0.25, 0.0, 0.5, 1.0]


def test_a_tally_counts_from_the_first_record_until_there_are_enough() -> None:
    tally = Tally({"records": 3, "max_seconds": 1000})
    assert [tally.one(), tally.one(), tally.one()] == [False, False, True]
    tally.stamp()
    answer = tally.answer(more=1)
    assert answer["records"] == 3
    assert answer["seconds"] >= 0
    assert answer["rss_peak_mib"] > 1
    assert answer["more"] == 1


def test_a_slow_contestant_may_stop_when_its_time_is_over() -> None:
    tally = Tally({"records": 1000, "max_seconds": -1})
    assert tally.one() is True


def test_records_from_before_it_was_warm_are_not_timed() -> None:
    tally = Tally({"records": 1, "max_seconds": 1000, "timed": True})
    assert tally.one_timed(1_000.0) is False
    assert tally.delays == []
    assert tally.count == 0
    assert tally.one_timed(4e12) is True
    assert len(tally.delays) == 1


def shown(report: Report, **options: object) -> str:
    console = Console(file=StringIO(), width=100, color_system=None, **options)  # type: ignore[arg-type]
    show(console, report)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_people_see_one_line_a_row_where_there_is_no_terminal() -> None:
    rows = [
        compare("no-op handler", "records/s", [12_345.6], "bare loop", [24_691.2], goal=0.6),
        compare("delay", "ms", [1.5], better="lower"),
    ]
    text = shown(Report("runtime", {"cpus": 2}, rows))
    assert "no-op handler: 12,350 records/s; bare loop: 24,690; ratio 0.50 (≥ 0.6 missed)\n" in text
    assert "delay: 1.5 ms (less is better)\n" in text
    assert "cpus: 2" in text


def test_people_see_a_table_on_a_wide_terminal() -> None:
    console = Console(file=StringIO(), width=160, force_terminal=True, color_system=None)
    show(console, Report("runtime", {}, [compare("delay", "ms", [1.5], "a peer", [3.0], better="lower")]))
    assert isinstance(console.file, StringIO)
    assert "│ delay" in console.file.getvalue()


def test_progress_is_one_line_a_turn_where_there_is_no_terminal() -> None:
    console = Console(file=StringIO(), width=100)
    with progress(console, 2) as tell:
        tell("first")
        tell("second")
    assert isinstance(console.file, StringIO)
    assert console.file.getvalue() == "1/2 first\n2/2 second\n"
