"""The progress of fault runs: the rate and the time left, on a terminal and elsewhere."""

import io
import threading

from rich.console import Console

from ops.chaos.progress import pace, progress


def test_without_a_terminal_each_part_that_ends_is_a_plain_line_with_rate_and_time_left() -> None:
    shown, moment = io.StringIO(), iter([100.0, 130.0, 160.0, 220.0])
    with progress(Console(file=shown, width=40), 3, monotonic=lambda: next(moment)) as ended:
        ended("kill: lost 0, [30] s")
        ended("poison: lost 0")
        ended("stop: lost 0")
    assert shown.getvalue().splitlines() == [
        "ended 1/3: kill: lost 0, [30] s (2.0/min, 60 s left)",
        "ended 2/3: poison: lost 0 (2.0/min, 30 s left)",
        "ended 3/3: stop: lost 0 (1.5/min, 2 min in all)",
    ]


def test_on_a_terminal_it_is_one_live_line_that_fits_into_80_columns() -> None:
    shown, moment = io.StringIO(), iter([0.0, 30.0, 60.0])
    console = Console(file=shown, width=80, force_terminal=True, color_system=None)
    with progress(console, 2, monotonic=lambda: next(moment)) as ended:
        ended("a scenario with a name that goes on: lost 0, BROKEN: " + "x" * 100)
        ended("the other one")
    lines = shown.getvalue().replace("\r", "\n").splitlines()
    last = next(line for line in reversed(lines) if "2/2" in line)
    assert "the other one" in last
    assert "2.0/min, 60 s in all" in last
    assert all(len(line.replace("\x1b[2K", "")) <= 80 for line in lines if "/2" in line and "\x1b[?" not in line)
    assert "ended" not in shown.getvalue()


def test_parts_may_end_in_several_threads_and_each_is_counted() -> None:
    shown = io.StringIO()
    with progress(Console(file=shown), 40) as ended:
        threads = [threading.Thread(target=ended, args=("a part",)) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [line.split(":")[0] for line in shown.getvalue().splitlines()] == [f"ended {n}/40" for n in range(1, 41)]


def test_long_times_are_told_in_minutes() -> None:
    assert pace(1, 10, 90.0) == "0.7/min, 14 min left"
    assert pace(10, 10, 30.0) == "20.0/min, 30 s in all"
