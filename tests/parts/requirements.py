"""Which outside parts a test needs, by marker, and what happens when one is missing.

A test marked `kafka`, `spanner` or `browser` is skipped with the reason when that part cannot be had. With
`LEADBUS_REQUIRE` (a comma list of parts, as CI sets it) the session is strict: a missing part that is named there
fails the test, and any skip at all, for whatever reason, fails the session. Both kinds of session close with a list
of what was not run and why.
"""

import os
from collections.abc import Callable, Mapping
from typing import NoReturn

import pytest

VARIABLE = "LEADBUS_REQUIRE"


def _kafka() -> str | None:
    from ops.stack.kafka_jars import why_not

    return why_not()


def _spanner() -> str | None:
    from ops.stack.spanner_emulator import why_not

    return why_not()


def _browser() -> str | None:
    from tests.parts.chromium import why_not

    return why_not()


CHECKS: Mapping[str, Callable[[], str | None]] = {"kafka": _kafka, "spanner": _spanner, "browser": _browser}


class Requirements:
    """The plugin of one test session."""

    def __init__(self, required: frozenset[str]) -> None:
        self._required = required
        self._reasons: dict[str, str | None] = {}
        self._skipped: dict[str, list[str]] = {}

    @classmethod
    def from_environment(cls) -> "Requirements":
        """Reads LEADBUS_REQUIRE; UsageError names a part that does not exist."""
        required = frozenset(part.strip() for part in os.environ.get(VARIABLE, "").split(",") if part.strip())
        if unknown := sorted(required - CHECKS.keys()):
            raise pytest.UsageError(f"{VARIABLE} names {', '.join(unknown)}; there are only {', '.join(CHECKS)}")
        return cls(required)

    def missing(self, part: str, reason: str) -> NoReturn:
        """End the running test, as skipped or as failed, because a part is not to be had."""
        if part in self._required:
            pytest.fail(f"{VARIABLE} asks for {part}, and it cannot be had: {reason}", pytrace=False)
        pytest.skip(f"{part}: {reason}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        for part, check in CHECKS.items():
            if item.get_closest_marker(part) is None:
                continue
            if part not in self._reasons:
                self._reasons[part] = check()
            if reason := self._reasons[part]:
                self.missing(part, reason)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._note(report)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._required and self._skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._skipped:
            return
        strict = f", which {VARIABLE} does not allow" if self._required else ""
        terminalreporter.section(f"not run on this machine{strict}")
        for reason, tests in sorted(self._skipped.items()):
            terminalreporter.write_line(f"{reason} ({len(tests)}):")
            for test in tests:
                terminalreporter.write_line(f"  {test}")

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        words = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        self._skipped.setdefault(words.removeprefix("Skipped: "), []).append(report.nodeid)
