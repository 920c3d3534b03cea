"""How Google's services say no: a gRPC code and words, and the check of resource names that both share."""

from __future__ import annotations

import re

import grpc


class GrpcRefused(Exception):
    """The service refuses the call with this status."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> GrpcRefused:
    """INVALID_ARGUMENT with these words."""
    return GrpcRefused(grpc.StatusCode.INVALID_ARGUMENT, message)


def resource_parts(name: str, pattern: str) -> tuple[str, ...]:
    """The parts of a resource name such as `projects/{}/locations/{}/recognizers/{}`; refused when it differs."""
    expression = "([^/]+)".join(re.escape(piece) for piece in pattern.split("{}"))
    match = re.fullmatch(expression, name)
    if match is None:
        raise invalid(f"the resource name must look like {pattern}, not {name!r}")
    return match.groups()
