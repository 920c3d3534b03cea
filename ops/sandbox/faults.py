"""Misbehaviour on request: what a test asks a sandbox server to do wrong, and how often.

Kinds: `status` (answer with an error at once, nothing kept), `delay` (wait, then answer well), `reset` (cut the
connection before anything is kept), `half_answer` (keep the effect, send half of the body, cut), and
`reset_after_effect` (keep the effect, cut before the answer: the case in which a caller cannot know).
A fault matches by vendor, optional method and path prefix, first added first, and is used up after `times`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

FaultKind = Literal["status", "delay", "reset", "half_answer", "reset_after_effect"]
VendorName = Literal["google", "hubspot", "salesforce", "pipedrive", "sendgrid", "callrail"]


class Fault(BaseModel):
    """One order to misbehave.

    status: an HTTP status (400 to 599), or for google the name of a gRPC code such as "UNAVAILABLE".
    body: replaces the vendor's usual error body. headers: added to the error answer.
    seconds: how long `delay` waits. times: how many calls are hit; None means until cleared.
    """

    model_config = ConfigDict(extra="forbid")

    vendor: VendorName
    kind: FaultKind
    path_prefix: str = ""
    method: str | None = None
    status: int | str | None = None
    body: Any = None
    headers: dict[str, str] = Field(default_factory=dict)
    seconds: float = Field(0.0, ge=0, le=600)
    times: int | None = Field(1, ge=1)

    @model_validator(mode="after")
    def _status_fits(self) -> Fault:
        if self.kind == "delay" and self.seconds == 0:
            raise ValueError("a delay needs seconds above 0")
        if self.kind != "status":
            return self
        if self.vendor == "google":
            if not isinstance(self.status, str):
                raise ValueError('status must be the name of a gRPC code for google, such as "UNAVAILABLE"')
        elif not isinstance(self.status, int) or not 400 <= self.status <= 599:
            raise ValueError("status must be an HTTP error status, 400 to 599")
        return self


class FaultBook:
    """The faults still to come."""

    def __init__(self) -> None:
        self._pending: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._pending.append(fault.model_copy(deep=True))

    def clear(self) -> None:
        self._pending.clear()

    def pending(self) -> list[Fault]:
        """Faults that have not been used up, oldest first."""
        return [fault.model_copy(deep=True) for fault in self._pending]

    def take(self, vendor: str, method: str, path: str) -> Fault | None:
        """The fault that this call must suffer, counted as used; None when the call may go well."""
        for fault in self._pending:
            if fault.vendor != vendor or not path.startswith(fault.path_prefix):
                continue
            if fault.method is not None and fault.method.upper() != method.upper():
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self._pending.remove(fault)
            return fault
        return None
