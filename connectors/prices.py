"""What the Google models cost: one dated table, from which every cost in documents, budgets and dashboards comes.

US dollars at list price, checked 2026-11-23 against the price pages of Speech-to-Text and of the Gemini Enterprise
Agent Platform (formerly Vertex AI); discounts, data logging and batch prices are left out. A model that is not in the
table costs as much as the dearest one of its kind, so that a budget errs on the safe side until the table is mended.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

CHECKED = "2026-11-23"

SPEECH_USD_PER_MINUTE = 0.016
"""Standard recognition, the first 500,000 minutes a month; billed by the second and per channel heard apart."""


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """US dollars per million tokens; thinking counts as output."""

    prompt: float
    output: float


GENERATION: Mapping[str, TokenPrice] = MappingProxyType(
    {
        "gemini-2.5-flash": TokenPrice(0.30, 2.50),
        "gemini-3.1-flash-lite": TokenPrice(0.25, 1.50),
        "gemini-3.5-flash-lite": TokenPrice(0.30, 2.50),
        "gemini-3.5-flash": TokenPrice(1.50, 9.00),
        # Half of this until the end of 2026.
        "gemini-3.8-flash": TokenPrice(1.50, 7.50),
    }
)

EMBEDDING_USD_PER_MILLION_TOKENS: Mapping[str, float] = MappingProxyType(
    {
        "gemini-embedding-001": 0.15,
        "gemini-embedding-2": 0.20,
        # Sold by characters (0.025 a million); four characters make about one token.
        "text-embedding-005": 0.10,
    }
)


def speech_cost(billed_seconds: float) -> float:
    """US dollars for seconds of audio, already multiplied by the channels that were heard apart."""
    return billed_seconds / 60 * SPEECH_USD_PER_MINUTE


def generation_cost(model: str, *, prompt_tokens: int, output_tokens: int) -> float:
    """US dollars for one call; `output_tokens` are answer and thinking together."""
    dearest = max(GENERATION.values(), key=lambda price: price.output)
    price = GENERATION.get(_row(model, GENERATION), dearest)
    return (prompt_tokens * price.prompt + output_tokens * price.output) / 1_000_000


def embedding_cost(model: str, tokens: int) -> float:
    """US dollars for embedding a text."""
    dearest = max(EMBEDDING_USD_PER_MILLION_TOKENS.values())
    per_million = EMBEDDING_USD_PER_MILLION_TOKENS.get(_row(model, EMBEDDING_USD_PER_MILLION_TOKENS), dearest)
    return tokens * per_million / 1_000_000


def _row(model: str, table: Mapping[str, object]) -> str:
    """The row of a model or of its dated release (`gemini-2.5-flash-002`): the longest name that it begins with."""
    fitting = (name for name in table if model == name or model.removeprefix(f"{name}-")[:1].isdigit())
    return max(fitting, key=len, default="")
