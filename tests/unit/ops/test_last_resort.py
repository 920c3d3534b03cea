"""A process that is done ends, though a thread of it does not."""

import asyncio
import subprocess
import sys
import time

import pytest

from ops.cli.last_resort import LastResort

PROGRAM = """
import asyncio, sys, threading
from ops.cli.last_resort import LastResort

async def main():
    hanging = asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    await asyncio.sleep(0.05)
    sys.stdout.write("done")
    {end}

asyncio.run(LastResort(0.2).around(main()))
"""


@pytest.mark.parametrize(("end", "code"), [("hanging.cancel()", 0), ("raise OSError('no broker')", 3)])
def test_a_thread_that_hangs_is_left_behind_and_named(end: str, code: int) -> None:
    program = [sys.executable, "-c", PROGRAM.format(end=end)]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (code, "done")
    assert "threads that do not end" in ended.stderr
    assert "threading" in ended.stderr.split("left behind")[1], "where it hangs is said"


def test_a_process_in_which_nothing_hangs_is_left_alone() -> None:
    resort = LastResort(0.05)
    asyncio.run(resort.around(asyncio.sleep(0)))
    resort.called_off()
    time.sleep(0.2)  # in which the process would end
