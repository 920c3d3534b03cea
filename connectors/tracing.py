"""Traces: which span this code runs in, and spans around the calls that leave the process.

A process that was told where a collector is (`LEADBUS_OTLP_ENDPOINT`) makes a span for every webhook or record it
works on; while that span is current, whatever is published carries its `traceparent`, and every call through a seam
is a span of its own below it. Where no span is current (tracing is off, or the trace is not sampled) all of this is
one look at a context variable and nothing else.

Spans hold codes of ours: ids, topics, outcomes, names of errors. Never a name, a number, a text or a secret.
"""

import contextlib
import functools
import inspect
import re
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from connectors.otlp import OtlpTracing

T = TypeVar("T")
Value = str | int | float | bool

FLUSH_SECONDS: Final = 2.0

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


class TraceParent(NamedTuple):
    """A W3C trace context: trace and span in lower-case hexadecimal, and the flags' byte."""

    trace: str
    span: str
    flags: str

    @property
    def sampled(self) -> bool:
        """Whether somebody asked for this trace to be kept."""
        return bool(int(self.flags, 16) & 1)


def read_traceparent(text: str | None) -> TraceParent | None:
    """A header's text; None when it does not follow the W3C recommendation."""
    match = _TRACEPARENT.fullmatch(text) if text else None
    return TraceParent(*match.groups()) if match is not None else None


class Span(Protocol):
    """Something that is being done."""

    @property
    def traceparent(self) -> str:
        """What to hand on, so that what follows lies below this span."""
        ...

    def note(self, **attributes: Value) -> None:
        """Add attributes; `request_id` becomes `leadbus.request_id`."""
        ...

    def fail(self, error: str) -> None:
        """It went wrong: a code, never an error's text."""
        ...

    def below(self, name: str, attributes: dict[str, Value]) -> "Span":
        """A call out of the process, begun now."""
        ...

    def end(self) -> None:
        """It is over."""
        ...


_current: ContextVar[Span | None] = ContextVar("leadbus_span", default=None)


def current_span() -> Span | None:
    """The span that this code runs in."""
    return _current.get()


def current_traceparent() -> str | None:
    """What a publication made here must carry, or None when no span is current."""
    span = _current.get()
    return None if span is None else span.traceparent


def note(**attributes: Value) -> None:
    """Add attributes to the current span, if there is one."""
    span = _current.get()
    if span is not None:
        span.note(**attributes)


@contextlib.contextmanager
def at(span: Span) -> Iterator[Span]:
    """Make a span current; an error that passes is noted by its name."""
    token = _current.set(span)
    try:
        yield span
    except BaseException as error:
        span.fail(type(error).__name__)
        raise
    finally:
        _current.reset(token)


@contextlib.contextmanager
def within(span: Span) -> Iterator[Span]:
    """Make a span current, and end it afterwards."""
    try:
        with at(span):
            yield span
    finally:
        span.end()


def outgoing(name: str, **attributes: Value) -> contextlib.AbstractContextManager[object]:
    """A span around a call out of the process, below the current one. The name must be one of few: no ids in it."""
    span = _current.get()
    return _NOTHING if span is None else within(span.below(name, attributes))


def traced(part: T, system: str) -> T:
    """The part, with a span `SYSTEM METHOD` around each call of its coroutine methods while a span is current."""
    return cast(T, _Traced(part, system))


class _Traced:
    """Passes everything on to a part."""

    def __init__(self, part: object, system: str) -> None:
        self._traced_part = part
        self._traced_system = system

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._traced_part, name)
        if not inspect.iscoroutinefunction(found):
            return found
        label = f"{self._traced_system} {name}"

        @functools.wraps(found)
        async def call(*arguments: Any, **named: Any) -> Any:
            with outgoing(label):
                return await found(*arguments, **named)

        setattr(self, name, call)  # the next call finds it without coming here
        return call


def open_tracing(endpoint: str | None, service: str, *, ratio: float = 1.0) -> "OtlpTracing | None":
    """The spans of this process; None, and nothing is imported, where no collector is named.

    `service` names the process among the others; `ratio` is the part of new traces that is kept.
    """
    if not endpoint:
        return None
    from connectors.otlp import OtlpTracing

    return OtlpTracing.to(endpoint, service, ratio)


_NOTHING = contextlib.nullcontext()
