"""The supervisor: what demo, `up` and the end-to-end tests rely on."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from ops.stack.errors import PartFailed
from ops.stack.places import free_ports
from ops.stack.processes import ProcessExit, ProcessSpec, Supervisor
from ops.stack.readiness import HttpReady, ReadyLine

READY = (
    "import json, os, sys, time; "
    "told = {'ready': True, 'pid': os.getpid(), 'who': os.environ.get('WHO')}; "
    "print(json.dumps(told), flush=True); "
)
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "


def python(name: str, code: str, *, ready: bool = True, **env: str) -> ProcessSpec:
    return ProcessSpec(name, [sys.executable, "-c", code], env, ReadyLine(seconds=15) if ready else None)


async def test_a_start_waits_for_the_ready_line_and_hands_over_what_it_tells(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, env={"WHO": "all"}) as house:
        told = await house.start_all(
            [python("one", READY + "time.sleep(60)"), python("two", READY + "time.sleep(60)", WHO="second")]
        )
        assert (told["one"]["who"], told["two"]["who"]) == ("all", "second")
        assert house.pid("one") == told["one"]["pid"] == house.told("one")["pid"]
        assert sorted(house.running) == ["one", "two"]
    assert house.running == []
    assert {ended.name: ended.asked_for for ended in house.exits} == {"one": True, "two": True}


async def test_a_start_waits_for_http_readiness(tmp_path: Path) -> None:
    [port] = free_ports(1)
    server = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    async with Supervisor(tmp_path) as house:
        await house.start(ProcessSpec("web", server, ready=HttpReady(f"http://127.0.0.1:{port}/")))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert b"200" in await reader.readline()
        writer.close()


async def test_a_process_that_dies_before_it_is_ready_is_told_with_its_last_words(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as house:
        with pytest.raises(PartFailed, match=r"(?s)broken ended with code 3.*no such tenant"):
            await house.start(python("broken", "import sys; print('no such tenant'); sys.exit(3)"))


async def test_a_process_that_is_never_ready_is_ended_and_told(tmp_path: Path) -> None:
    slow = ProcessSpec("slow", [sys.executable, "-c", "import time; time.sleep(60)"], ready=ReadyLine(seconds=0.3))
    async with Supervisor(tmp_path) as house:
        with pytest.raises(PartFailed, match="slow was not ready"):
            await house.start(slow)
        assert house.running == []


async def test_one_that_fails_among_several_is_told_as_itself(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as house:
        with pytest.raises(PartFailed, match="broken ended with code 3"):
            await house.start_all([python("fine", READY + "time.sleep(60)"), python("broken", "exit(3)")])


async def test_kill_is_sigkill_and_restart_runs_the_same_again_into_the_same_log(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as house:
        first = await house.start(python("daemon", DEAF + READY + "time.sleep(60)", WHO="me"))
        killed = await house.kill("daemon")
        second = await house.restart("daemon")
        assert (killed.code, killed.asked_for) == (-signal.SIGKILL, True)
        assert second["who"] == "me"
        assert second["pid"] != first["pid"]
        log = (tmp_path / "daemon.log").read_text()
        assert log.index(str(first["pid"])) < log.index("starts again") < log.index(str(second["pid"]))
        await house.kill("daemon")


async def test_restart_stops_a_running_process_first(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as house:
        first = await house.start(python("daemon", READY + "time.sleep(60)"))
        second = await house.restart("daemon")
        assert house.pid("daemon") == second["pid"] != first["pid"]
        assert house.exits[0].code == -signal.SIGTERM


async def test_a_process_that_ignores_sigterm_is_killed_after_the_grace_time(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, grace_seconds=0.2) as house:
        await house.start(python("deaf", DEAF + READY + "time.sleep(60)"))
        ended = await house.stop("deaf")
    assert ended.code == -signal.SIGKILL


async def test_a_process_that_dies_by_itself_is_reported_once_with_its_last_lines(tmp_path: Path) -> None:
    heard: list[ProcessExit] = []
    async with Supervisor(tmp_path, on_exit=heard.append) as house:
        await house.start(python("daemon", READY + "time.sleep(0.1); print('out of memory'); sys.exit(9)"))
        ended = await asyncio.wait_for(house.unexpected_exit(), 10)
    assert (ended.name, ended.code, ended.asked_for) == ("daemon", 9, False)
    assert "out of memory" in str(ended)
    assert heard == house.exits == [ended]


async def test_workers_of_a_killed_process_end_with_it(tmp_path: Path) -> None:
    code = (
        "import json, subprocess, sys, time; "
        "worker = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
        "print(json.dumps({'ready': True, 'worker': worker.pid}), flush=True); "
        "time.sleep(60)"
    )
    async with Supervisor(tmp_path) as house:
        told = await house.start(python("server", code))
        await house.kill("server")
        await wait_until_gone(told["worker"])


async def test_a_second_process_of_one_name_is_refused(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as house:
        await house.start(python("one", READY + "time.sleep(60)"))
        with pytest.raises(PartFailed, match="running already"):
            await house.start(python("one", READY))
        with pytest.raises(PartFailed, match="two is not running"):
            await house.kill("two")


OWNER = """
import asyncio, sys, pathlib
from ops.stack.processes import ProcessSpec, Supervisor
from ops.stack.readiness import ReadyLine
async def main():
    async with Supervisor(pathlib.Path(sys.argv[1]), grace_seconds=0.5) as house:
        told = await house.start(ProcessSpec("deaf", [sys.executable, "-c", sys.argv[2]], ready=ReadyLine()))
        print(told["pid"], flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_children_end_when_their_owner_ends_by_a_signal_even_those_that_ignore_sigterm(
    tmp_path: Path, number: signal.Signals
) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(tmp_path), DEAF + READY + "time.sleep(60)",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert owner.stdout is not None
    pid = int(await owner.stdout.readline())
    os.kill(owner.pid, number)
    await owner.wait()
    await wait_until_gone(pid)


async def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not is_running(pid):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"process {pid} is still there")


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    # An orphan may stay a zombie where nothing reaps it.
    return not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
