"""Contestants run one after the other, in turns: each is a process that gets an order and answers one JSON line.

    PartFailed   a contestant ended with an error, answered nothing, or took too long; with the end of what it said

Turns alternate (A B C, A B C, …), so that a machine that gets slower or faster meanwhile does so for all.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops.bench.peers.venvs import HERE
from ops.stack.errors import PartFailed

START_SECONDS = 60.0
"""Beyond the order's own time: imports, joining the group, leaving it."""

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who runs, and what it is told besides the topic; `records` and `max_seconds` overrule the contest's."""

    name: str
    argv: Sequence[str]
    order: Mapping[str, Any] = field(default_factory=dict)


def ours(name: str, **order: Any) -> Contestant:
    """Our runtime."""
    return Contestant(name, [sys.executable, "-m", "ops.bench.ours"], order)


def peer(name: str, python: Path, script: str, **order: Any) -> Contestant:
    """A script of `ops/bench/peers`, run by its own Python."""
    return Contestant(name, [str(python), str(HERE / script)], order)


def contest(
    contestants: Sequence[Contestant],
    order: Mapping[str, Any],
    *,
    runs: int,
    on_turn: Callable[[str], None] = lambda text: None,
) -> dict[str, list[Answer]]:
    """`runs` turns of each; their answers by name, in the order of the turns. `on_turn` hears of each before it runs.

    Every turn reads as a group of its own, from the beginning.
    """
    answers: dict[str, list[Answer]] = {contestant.name: [] for contestant in contestants}
    for turn in range(1, runs + 1):
        for contestant in contestants:
            on_turn(f"{contestant.name} ({turn} of {runs})")
            own = {**order, **contestant.order, "group": fresh_name("bench")}
            answers[contestant.name].append(ask(contestant, own))
    return answers


def fresh_name(prefix: str) -> str:
    """A topic or group that nobody had before."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def ask(contestant: Contestant, order: Mapping[str, Any], *, start_seconds: float = START_SECONDS) -> Answer:
    """One turn, killed `start_seconds` after its own time is over; raises PartFailed."""
    seconds = float(order.get("max_seconds", 0.0)) + start_seconds
    process = subprocess.Popen(
        contestant.argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=without_settings(os.environ),
        start_new_session=True,
    )
    try:
        said, complained = process.communicate(json.dumps(dict(order)), timeout=seconds)
    except subprocess.TimeoutExpired as error:
        _kill(process)
        _, complained = process.communicate()
        words = f"{contestant.name} did not answer within {seconds:.0f} s\n{_end_of(complained)}"
        raise PartFailed(words.rstrip()) from error
    finally:
        # Also on Ctrl-C, which reaches only us: the contestant leads a group of its own.
        if process.poll() is None:
            _kill(process)
            process.wait()
    if process.returncode != 0:
        raise PartFailed(f"{contestant.name} ended with code {process.returncode}\n{_end_of(complained or said)}")
    answer = _answer_of(said)
    if answer is None:
        raise PartFailed(f"{contestant.name} did not answer in JSON\n{_end_of(said + complained)}")
    return answer


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without leadbus' variables: the machine's own settings would make ours another program."""
    return {name: value for name, value in environment.items() if not name.startswith("LEADBUS_")}


def rates(answers: Sequence[Answer]) -> list[float]:
    """Records a second of each turn."""
    return [answer["records"] / answer["seconds"] if answer["seconds"] else 0.0 for answer in answers]


def values(answers: Sequence[Answer], name: str) -> list[float]:
    """One field of every answer."""
    return [float(answer[name]) for answer in answers]


def cpu_per_record(answers: Sequence[Answer]) -> list[float]:
    """Microseconds of CPU a record."""
    return [1e6 * answer["cpu_seconds"] / max(answer["records"], 1) for answer in answers]


def _kill(process: "subprocess.Popen[str]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _answer_of(said: str) -> Answer | None:
    # Libraries may print; the answer is the last line.
    for line in reversed(said.splitlines()):
        with contextlib.suppress(ValueError):
            answer = json.loads(line)
            if isinstance(answer, dict) and "records" in answer:
                return answer
    return None


def _end_of(text: str) -> str:
    return "\n".join(text.splitlines()[-15:])
