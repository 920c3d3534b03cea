"""How contestants are run: in turns, as processes that get an order and answer one JSON line."""

import json
import os
import sys
from pathlib import Path

import pytest

from ops.bench.contest import Contestant, ask, contest, cpu_per_record, peer, rates, values, without_settings
from ops.stack.errors import PartFailed

HONEST = """
import json, sys
order = json.load(sys.stdin)
with open(order["seen"], "a") as seen:
    seen.write(json.dumps([order["who"], order["group"]]) + "\\n")
print("a library says hello")
print(json.dumps({"records": order["records"], "seconds": 2.0, "cpu_seconds": 0.5, "rss_peak_mib": 40.0}))
"""


def script(folder: Path, text: str) -> list[str]:
    path = folder / "contestant.py"
    path.write_text(text)
    return [sys.executable, str(path)]


def test_contestants_run_in_turns_each_time_as_a_new_group(tmp_path: Path) -> None:
    argv, seen = script(tmp_path, HONEST), tmp_path / "seen"
    pair = [Contestant("A", argv, {"who": "A"}), Contestant("B", argv, {"who": "B", "records": 7})]
    told: list[str] = []
    found = contest(pair, {"records": 10, "seen": str(seen)}, runs=2, on_turn=told.append)
    turns = [json.loads(line) for line in seen.read_text().splitlines()]
    assert [turn[0] for turn in turns] == ["A", "B", "A", "B"]
    assert len({turn[1] for turn in turns}) == 4
    assert told == ["A (1 of 2)", "B (1 of 2)", "A (2 of 2)", "B (2 of 2)"]
    assert rates(found["A"]) == [5.0, 5.0]
    assert rates(found["B"]) == [3.5, 3.5]
    assert values(found["A"], "rss_peak_mib") == [40.0, 40.0]
    assert cpu_per_record(found["A"]) == [50_000.0, 50_000.0]


def test_settings_of_the_machines_own_leadbus_do_not_reach_a_contestant() -> None:
    assert without_settings({"PATH": "/bin", "LEADBUS_WINDOW": "1"}) == {"PATH": "/bin"}


def test_a_contestant_that_fails_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    argv = script(tmp_path, "import sys; sys.exit('no such topic')")
    with pytest.raises(PartFailed, match=r"the peer ended with code 1\nno such topic"):
        ask(Contestant("the peer", argv), {"records": 1})


def test_a_contestant_that_answers_something_else_is_an_error(tmp_path: Path) -> None:
    argv = script(tmp_path, "print('{}'); print('done')")
    with pytest.raises(PartFailed, match="the peer did not answer in JSON"):
        ask(Contestant("the peer", argv), {"records": 1})


def test_a_contestant_that_never_answers_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    argv = script(tmp_path, f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    with pytest.raises(PartFailed, match="did not answer within 2 s"):
        ask(Contestant("the peer", argv), {"records": 1}, start_seconds=2.0)
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_a_peer_is_a_script_of_ours_run_by_its_own_python() -> None:
    found = peer("bare loop", Path("/cache/bin/python"), "run_aiokafka.py", decode="typed")
    assert found.argv[0] == "/cache/bin/python"
    assert Path(found.argv[1]).is_file()
    assert found.order == {"decode": "typed"}
