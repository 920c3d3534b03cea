"""What is wrong with a tenant's files: where, what, and what to do about it.

A `Finding` is a value; nothing here raises. Lines and columns count from 1, as editors do.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file; `file` is relative to the tenant folder, with forward slashes on every system."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that keeps a tenant folder from going live."""

    file: str
    line: int
    column: int
    code: str
    """Stable, for suppressions and documentation: `unknown-connector`."""
    text: str
    fix: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.code}: {self.text} {self.fix}"


class BadTenantFolder(Exception):
    """The folder cannot be used; `findings` says everything that is wrong with it, in the order of the files."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(sorted(set(findings)))
        super().__init__("\n".join(str(f) for f in self.findings))


def finding(place: Place, code: str, text: str, fix: str) -> Finding:
    """A finding at a place."""
    return Finding(place.file, place.line, place.column, code, text, fix)
