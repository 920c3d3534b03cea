"""The seam to the language model: a prompt and a JSON Schema in, a JSON value and its usage out; and embeddings.

Finish reasons are data, not exceptions: a blocked or cut-off answer is an `Answer` without `value`. Errors: `LlmQuota`
(wait), `LlmUnavailable` (passing fault), `LlmMisconfigured` (model, region or permission is wrong).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class LlmError(Exception):
    """The root."""


class LlmQuota(LlmError):
    """Too much at once; wait `delay` seconds."""

    def __init__(self, message: str, *, delay: float = 10.0) -> None:
        super().__init__(message)
        self.delay = delay


class LlmUnavailable(LlmError):
    """A passing fault; the same call may succeed later."""


class LlmMisconfigured(LlmError):
    """Model, region, permission or request is wrong."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Instructions are ours; content is untrusted text of strangers and is marked as such to the model."""

    instructions: str
    content: str
    schema: Mapping[str, Any]
    """JSON Schema of the answer."""
    labels: Mapping[str, str]
    """Billing labels (tenant)."""
    thinking_budget: int | None = None
    """Tokens; 0 off, None the configured one."""
    max_output_tokens: int | None = None
    previous_answer: str | None = None
    """For the one repair attempt: the answer that did not fit, and below why."""
    complaint: str | None = None


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one call, and what they cost."""

    prompt: int = 0
    answer: int = 0
    thinking: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """`value` is parsed JSON or None; `text` is what the model said; `finish` is the vendor's finish reason."""

    value: Any
    text: str
    finish: str
    usage: TokenUsage
    model: str
    thoughts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vector:
    """A unit-length embedding."""

    values: tuple[float, ...]
    model: str
    task: str
    tokens: int
    cost_usd: float


class LanguageModel(Protocol):
    """One generating and one embedding model."""

    async def generate(self, prompt: Prompt) -> Answer:
        """One call; retries passing faults for a few seconds, then raises."""
        ...

    async def embed(self, text: str, *, task: str = "SEMANTIC_SIMILARITY", labels: Mapping[str, str]) -> Vector:
        """The vector of a text, cut to the model's input limit, normalized to unit length."""
        ...

    async def close(self) -> None:
        """Close the channels."""
        ...
