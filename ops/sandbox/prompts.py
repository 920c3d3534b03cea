"""Reads a GenerateContent request: what people said in it, the schema asked for, and what thoughts and answer may cost.

Source: Vertex AI API reference, GenerationConfig (thinking budget and level, max_output_tokens, response schemas).
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from google.cloud.aiplatform_v1.types import content as content_types
from google.protobuf import json_format

from ops.sandbox import embeddings
from ops.sandbox.world import JsonObject

_DYNAMIC_THOUGHTS: Final = 256
# Lines that only mark where quoted content begins or ends are nobody's words.
_FENCE: Final = re.compile(r"^[ \t]*(?:(?:BEGIN|END) \S+|<<<\w*|\w*>>>|`{3}\w*|</?[a-z_]+>)[ \t]*$\n?", re.MULTILINE)


def text_of(turn: Any) -> str:
    """The text of a turn, without thoughts."""
    return "\n".join(part.text for part in turn.parts if part.text and not part.thought)


def words_of(text: str) -> str:
    """The words that people said: JSON documents in the text are reduced to their string values."""
    text = _FENCE.sub("", text)
    decoder, kept, at = json.JSONDecoder(), [], 0
    for match in re.finditer(r"[{\[]", text):
        if match.start() < at:
            continue
        try:
            value, end = decoder.raw_decode(text, match.start())
        except ValueError:
            continue
        kept += [text[at : match.start()], *_strings(value)]
        at = end
    return "\n".join([*kept, text[at:]])


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in inner for text in _strings(item)]


def schema_of(config: Any) -> JsonObject:
    """The schema asked for, as plain JSON; empty when there is none."""
    wire = content_types.GenerationConfig.pb(config)
    for field in ("response_json_schema", "response_schema"):
        if wire.HasField(field):
            found = json_format.MessageToDict(getattr(wire, field))
            if isinstance(found, dict):
                return found
    return {}


def thought_tokens(config: Any, said: str) -> int:
    """Tokens spent on thoughts: none with budget 0, at most the budget, dynamic when there is none."""
    wire = content_types.GenerationConfig.pb(config)
    dynamic = min(_DYNAMIC_THOUGHTS, 32 + 2 * len(said.split()))
    if not wire.HasField("thinking_config"):
        return dynamic
    thinking = wire.thinking_config
    if thinking.HasField("thinking_budget") and thinking.thinking_budget >= 0:
        return min(dynamic, int(thinking.thinking_budget))
    level = content_types.GenerationConfig.ThinkingConfig.ThinkingLevel(thinking.thinking_level)
    return dynamic // 8 if level.name in ("LOW", "MINIMAL") else dynamic


def cut_to_limit(text: str, thoughts: int, most: int) -> tuple[str, Any, int]:
    """The answer within `max_output_tokens` (0 means no limit), its finish reason and its tokens."""
    reasons = content_types.Candidate.FinishReason
    count = max(1, embeddings.tokens(text))
    if not most or thoughts + count <= most:
        return text, reasons.STOP, count
    left = max(0, most - thoughts)
    return text[: len(text) * left // count], reasons.MAX_TOKENS, left
