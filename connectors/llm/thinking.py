"""How much a model may think, told in the words of its family: 2.5 takes a budget in tokens, 3 and later take a level.

One number goes in (tokens; 0 off, -1 as the model likes), because that is what tenants set and pay for. Budgets are
bent into the model's own range. Thoughts use up the cap on output tokens, so the cap grows by the room they get.
Source: Vertex AI, "Thinking" and the model pages; levels and their defaults as of 2026-11-23.
"""

from dataclasses import dataclass
from typing import Any

from google.cloud.aiplatform_v1.types import GenerationConfig

DYNAMIC = -1
_DYNAMIC_ROOM = 24_576
_LEVELS = ((0, "MINIMAL"), (1_024, "LOW"), (8_192, "MEDIUM"))
"""The level for budgets up to that many tokens; above it HIGH."""


@dataclass(frozen=True, slots=True)
class _Range:
    least: int
    most: int
    may_be_off: bool


_BUDGETS = (
    ("gemini-2.5-pro", _Range(128, 32_768, may_be_off=False)),
    ("gemini-2.5-flash-lite", _Range(512, 24_576, may_be_off=True)),
    ("gemini-2.5", _Range(1, 24_576, may_be_off=True)),
)


def thinking_config(model: str, budget: int) -> Any:
    """The `ThinkingConfig` for a budget, asking for the thoughts unless there are none."""
    config = GenerationConfig.ThinkingConfig(include_thoughts=budget != 0)
    limits = next((limits for family, limits in _BUDGETS if model.startswith(family)), None)
    if limits is not None:
        config.thinking_budget = _bent(budget, limits)
    elif budget != DYNAMIC:
        level = next((level for most, level in _LEVELS if budget <= most), "HIGH")
        levels: Any = GenerationConfig.ThinkingConfig.ThinkingLevel
        config.thinking_level = levels[level]
    return config


def output_cap(answer_tokens: int, budget: int) -> int:
    """`max_output_tokens` for an answer of that size and the thoughts before it."""
    return answer_tokens + (_DYNAMIC_ROOM if budget == DYNAMIC else budget)


def _bent(budget: int, limits: _Range) -> int:
    if budget == DYNAMIC or (budget == 0 and limits.may_be_off):
        return budget
    return min(max(budget, limits.least), limits.most)
