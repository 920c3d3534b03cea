"""kill -9 of any daemon, also at its worst moments: the CRMs, mails, notes and tickets end the same."""

import pytest
from rich.console import Console

from ops.chaos.kill import FAILPOINTS, KILL_AT, run_kills

pytestmark = pytest.mark.slow


@pytest.mark.timeout(600)
async def test_a_killed_daemon_leaves_the_same_content_behind_as_an_undisturbed_day() -> None:
    result = await run_kills(Console(quiet=True), [*((name, None) for name in KILL_AT), *FAILPOINTS])
    assert [(run["name"], run["failpoint"], run["different"], run["open"]) for run in result["runs"]] == [
        (name, failpoint, [], [])
        for name, failpoint in (("undisturbed", None), *((name, None) for name in KILL_AT), *FAILPOINTS)
    ]
    assert (result["lost"], result["duplicates"]) == (0, 0)
    assert all(run["accepted"] == run["found"] for run in result["runs"])
