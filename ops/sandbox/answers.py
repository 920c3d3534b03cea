"""Builds a JSON answer that fits the schema it was given, from a `Reading` of the lead.

Understands OpenAPI schemas (as `response_schema`) and JSON Schema (as `response_json_schema`: `$ref`, `anyOf`, type
lists, `const`, `enum`, bounds). A property with a name that it knows gets the reading's value, bent to the property's
type, range or enumeration; any other required property gets a neutral value of the right type.
"""

from __future__ import annotations

from typing import Any, Final

from ops.sandbox.scoring import Reading
from ops.sandbox.world import JsonObject

_ABSENT: Final = object()
_DEPTH_MAX: Final = 12
_SENTIMENT_WORDS: Final = {
    "positive": ("positive", "very_positive", "happy", "good"),
    "neutral": ("neutral", "mixed", "calm"),
    "negative": ("negative", "very_negative", "angry", "bad"),
}
_URGENCY_WORDS: Final = {
    "high": ("high", "urgent", "emergency", "critical", "immediate", "now"),
    "medium": ("medium", "normal", "moderate", "soon"),
    "low": ("low", "none", "normal", "routine", "flexible", "later"),
}
_INTENT_WORDS: Final = {
    "spam": ("spam", "solicitation", "sales_pitch", "other"),
    "complaint": ("complaint", "support", "existing_customer", "service_issue", "other"),
    "appointment": ("appointment", "booking", "schedule", "purchase", "buy", "new_lead", "inquiry"),
    "purchase": ("purchase", "buy", "quote", "estimate", "new_lead", "new_business", "service_request", "lead"),
    "question": ("question", "inquiry", "information", "general", "other"),
}


def mood_word(sentiment: float) -> str:
    """positive above 0.15, negative below -0.15, else neutral."""
    return "positive" if sentiment > 0.15 else "negative" if sentiment < -0.15 else "neutral"


def build(schema: JsonObject, reading: Reading) -> Any:
    """A value that fits `schema`. An empty schema gets the plain reading as an object."""
    if not schema:
        return {"lead_score": reading.lead_score, "summary": reading.summary}
    return _fit("", schema, reading, schema, 0)


def _fit(name: str, given: JsonObject, reading: Reading, root: JsonObject, depth: int) -> Any:
    schema = _resolved(given, root)
    kind = _type(schema)
    if "const" in schema:
        return schema["const"]
    if kind == "object":
        return _object(schema, reading, root, depth)
    wanted = _known(name, schema, kind, reading)
    if schema.get("enum"):
        return _choose(schema["enum"], wanted)
    if kind == "array":
        return _array(name, schema, wanted, reading, root, depth)
    if kind in ("number", "integer"):
        return _number(schema, wanted, kind)
    if kind == "boolean":
        return wanted if isinstance(wanted, bool) else False
    if kind == "null":
        return None
    return _text(schema, wanted)


def _object(schema: JsonObject, reading: Reading, root: JsonObject, depth: int) -> JsonObject:
    if depth > _DEPTH_MAX:
        return {}
    properties = schema.get("properties") or {}
    order = schema.get("propertyOrdering") or list(properties)
    return {n: _fit(n, properties[n], reading, root, depth + 1) for n in order if n in properties}


def _array(name: str, schema: JsonObject, wanted: Any, reading: Reading, root: JsonObject, depth: int) -> list[Any]:
    items = schema.get("items") or {"type": "string"}
    least, most = int(schema.get("minItems") or 0), int(schema.get("maxItems") or 50)
    item_kind = _type(_resolved(items, root))
    if isinstance(wanted, tuple) and item_kind == "string":
        allowed = _resolved(items, root).get("enum")
        values = [v for v in wanted if not allowed or v in allowed]
        texts: list[Any] = [_text(_resolved(items, root), v) if not allowed else v for v in values]
    else:
        texts = []
    while len(texts) < least and depth <= _DEPTH_MAX:
        texts.append(_fit(name.removesuffix("s"), items, reading, root, depth + 1))
    return texts[:most]


def _known(name: str, schema: JsonObject, kind: str, reading: Reading) -> Any:
    """The reading's value for a property of this name, or `_ABSENT`."""
    key = name.lower().replace("-", "_")
    top = _bound(schema, "maximum")
    unit = 1.0 if kind == "number" and top is not None and top <= 1 else 100.0 if top == 100 else None
    if "spam" in key:
        share = reading.spam
        return share >= 0.5 if kind == "boolean" else share * (100 if unit == 100.0 else 1)
    if "sentiment" in key or key in ("mood", "tone"):
        if kind in ("number", "integer"):
            low = _bound(schema, "minimum")
            return reading.sentiment if low is None or low < 0 else (reading.sentiment + 1) / 2
        return _SENTIMENT_WORDS[mood_word(reading.sentiment)]
    if "confidence" in key:
        return reading.confidence * (100 if unit == 100.0 else 1)
    if "score" in key or key in ("quality", "lead_quality"):
        return reading.lead_score / 100 if unit == 1.0 else reading.lead_score
    if "urgen" in key or key == "priority":
        if kind == "boolean":
            return reading.urgency == "high"
        if kind in ("number", "integer"):
            return {"high": 0.9, "medium": 0.5, "low": 0.1}[reading.urgency] * (100 if unit == 100.0 else 1)
        return _URGENCY_WORDS[reading.urgency]
    if "intent" in key or key in ("category", "kind"):
        return _INTENT_WORDS[reading.intent]
    plain: dict[str, Any] = {
        "summary": reading.summary, "call_summary": reading.summary, "service": reading.service,
        "service_requested": reading.service, "language": reading.language, "language_code": reading.language,
        "tags": reading.tags, "semantic_tags": reading.tags, "reasons": reading.reasons, "keywords": reading.tags,
        "thinking_steps": reading.reasons, "reasoning_steps": reading.reasons, "topics": reading.tags,
        "reason": reading.reasons[0], "reasoning": " ".join(reading.reasons),
        "is_lead": reading.lead_score >= 40, "services": (reading.service,),
    }  # fmt: skip
    return plain.get(key, _ABSENT)


def _resolved(schema: JsonObject, root: JsonObject) -> JsonObject:
    """The schema behind `$ref`, and of `anyOf`/`oneOf` the first alternative that is not null."""
    for _ in range(_DEPTH_MAX):
        reference = schema.get("$ref") or schema.get("ref")
        if isinstance(reference, str):
            target: Any = root
            for part in reference.removeprefix("#/").split("/"):
                target = target.get(part, {}) if isinstance(target, dict) else {}
            schema = {**target, **{k: v for k, v in schema.items() if k not in ("$ref", "ref")}}
            continue
        choices = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        if not choices or "type" in schema:
            return schema
        solid = [c for c in choices if isinstance(c, dict) and str(c.get("type", "")).lower() != "null"]
        schema = solid[0] if solid else {"type": "null"}
    return schema


def _type(schema: JsonObject) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    if not kind:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind).lower()


def _choose(options: list[Any], wanted: Any) -> Any:
    """The option that says what is wanted, else a neutral one, else the first."""
    candidates = wanted if isinstance(wanted, tuple) else (wanted,)
    for candidate in candidates:
        for option in options:
            if str(option).lower().replace("-", "_").replace(" ", "_") == str(candidate).lower().replace(" ", "_"):
                return option
    neutral = ("other", "unknown", "none", "neutral", "general", "normal")
    return next((option for option in options if str(option).lower() in neutral), options[0])


def _bound(schema: JsonObject, name: str) -> float | None:
    value = schema.get(name)
    return float(value) if isinstance(value, int | float) else None


def _number(schema: JsonObject, wanted: Any, kind: str) -> float | int:
    low, high = _bound(schema, "minimum"), _bound(schema, "maximum")
    value = float(wanted) if isinstance(wanted, int | float) else (low or 0.0)
    if high is not None:
        value = min(value, high)
    if low is not None:
        value = max(value, low)
    return round(value) if kind == "integer" else round(value, 4)


def _text(schema: JsonObject, wanted: Any) -> str:
    if isinstance(wanted, tuple):
        wanted = wanted[0] if wanted else ""
    text = wanted if isinstance(wanted, str) else "" if wanted is _ABSENT else str(wanted)
    least, most = int(schema.get("minLength") or 0), int(schema.get("maxLength") or 100_000)
    return text[:most] if len(text) >= least else (text + "-" * least)[:least]
