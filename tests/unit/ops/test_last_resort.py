"""A process that is done ends, though a thread of it does not."""

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys, threading
from ops.cli.last_resort import ending_soon

async def main():
    async with ending_soon(0.2):
        hanging = asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
        await asyncio.sleep(0.05)
        sys.stdout.write("done")
        {end}

asyncio.run(main())
"""


@pytest.mark.parametrize(("end", "code"), [("hanging.cancel()", 0), ("raise OSError('no broker')", 3)])
def test_a_thread_that_hangs_is_left_behind_and_named(end: str, code: int) -> None:
    program = [sys.executable, "-c", PROGRAM.format(end=end)]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (code, "done")
    assert "threads that do not end" in ended.stderr
    assert "threading" in ended.stderr.split("left behind")[1], "where it hangs is said"
