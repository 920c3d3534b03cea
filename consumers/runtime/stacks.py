"""Where threads and tasks stand: modules, functions and lines, outermost first. Never values.

Equal stacks are told once with their number, the most frequent first, and at most `LARGEST` of them.
"""

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Collection, Iterator
from types import CodeType, FrameType
from typing import Any

LARGEST = 20
"""Different stacks that are told."""
DEEPEST = 60
"""Frames of one stack that are told: the innermost ones."""

Stack = tuple[str, ...]


def stacks_of_threads() -> str:
    """Every thread of this process but the one that asks."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    own = threading.get_ident()
    return _told(
        Counter(
            (f"thread {names.get(number, number)}", *_frames(frame))
            for number, frame in sys._current_frames().items()
            if number != own
        ),
        "threads",
    )


def stacks_of_tasks(tasks: Collection["asyncio.Task[Any]"]) -> str:
    """What each of these tasks waits for, through everything that it awaits."""
    return _told(Counter(stack_of_task(task) for task in tasks if not task.done()), "tasks")


def stack_of_task(task: "asyncio.Task[Any]") -> Stack:
    """One task's places, outermost first; the task's own `get_stack` ends at its first coroutine."""
    return tuple(_awaited(task.get_coro()))[-DEEPEST:] or ("not started",)


def _awaited(step: Any) -> Iterator[str]:
    for _ in range(10 * DEEPEST):
        if step is None:
            return
        frame, code, inner = _inside(step)
        if frame is not None:
            yield _place(frame.f_globals.get("__name__", "?"), frame.f_code, frame.f_lineno)
        elif code is not None:
            yield _place("?", code, None)
        else:
            yield f"waits for {type(step).__name__}"
        step = inner


def _inside(step: Any) -> tuple[FrameType | None, CodeType | None, Any]:
    """The frame of a coroutine or generator, and what it awaits itself."""
    for prefix, awaits in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
        if hasattr(step, f"{prefix}_frame"):
            return getattr(step, f"{prefix}_frame"), getattr(step, f"{prefix}_code"), getattr(step, awaits)
    return None, None, None


def _frames(frame: FrameType | None) -> Stack:
    places: list[str] = []
    while frame is not None:
        places.append(_place(frame.f_globals.get("__name__", "?"), frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return tuple(reversed(places[:DEEPEST]))


def _place(module: str, code: CodeType, line: int | None) -> str:
    return f"{module}:{line or code.co_firstlineno} {code.co_qualname}"


def _told(stacks: "Counter[Stack]", what: str) -> str:
    lines = [f"{stacks.total()} {what}"]
    for stack, count in stacks.most_common(LARGEST):
        lines.append(f"-- {count} x")
        lines += [f"   {place}" for place in stack]
    if len(stacks) > LARGEST:
        lines.append(f"-- and {len(stacks) - LARGEST} more kinds of stacks")
    return "\n".join(lines)
