"""What the sandbox's model makes of a lead's words: score, spam, mood, urgency, intent, and its grounds.

Deterministic and transparent: groups of words, each with a weight and a sentence of reason. Not clever, but it tells
a leaking roof from a pitch for search rankings, so that rules see different leads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Group:
    """Words that point one way. score is added once; mood is added per different word found."""

    name: str
    pattern: re.Pattern[str]
    score: int
    mood: float
    reason: str


@dataclass(frozen=True)
class Reading:
    """lead_score 0 to 100, spam 0 to 1, sentiment -1 to 1, confidence 0 to 1; language is BCP-47."""

    lead_score: int
    spam: float
    sentiment: float
    confidence: float
    urgency: str
    intent: str
    service: str
    language: str
    summary: str
    tags: tuple[str, ...]
    reasons: tuple[str, ...]


def _group(name: str, words: str, score: int, mood: float, reason: str) -> Group:
    return Group(name, re.compile(rf"\b(?:{words})\b", re.IGNORECASE), score, mood, reason)


_GROUPS: Final = (
    _group(
        "urgent",
        r"urgent(?:ly|e)?|emergency|emergencia|asap|right away|leak(?:s|ing|ed)?|water coming|drips?|flood\w*"
        r"|storm|hail|pain|hurts?|duele|dolor|broken|swollen|today|hoy|immediately",
        22,
        -0.05,
        "The caller has a problem that cannot wait.",
    ),
    _group(
        "buying",
        r"quote|estimate|how much|costs?|price|pricing|replac\w+|install\w*|implants?|new roof|whole roof"
        r"|repair\w*|hire|buy|do you (?:take|offer)|looking for|interested|need(?:s|ed)?"
        r"|want(?:s|ed)?|would like|quiero|necesito|presupuesto",
        20,
        0.03,
        "The caller asks for work or its price.",
    ),
    _group(
        "money",
        r"budget|dollars|financ\w+|per month|thousand|\$ ?\d[\d,.]*",
        8,
        0.0,
        "Money is being talked about.",
    ),
    _group(
        "insurance",
        r"insur\w+|adjuster|claim|state farm|delta dental|seguro|coverage",
        12,
        0.02,
        "Insurance is involved.",
    ),
    _group(
        "appointment",
        r"appointment|schedul\w+|book(?:ed|ing)?|consultation|cita|tomorrow|mañana|monday|tuesday|wednesday|thursday"
        r"|friday|saturday|meeting|visit|next week",
        14,
        0.04,
        "A date is asked for or agreed.",
    ),
    _group(
        "address",
        r"address|road|street|avenue|drive|my name is|me llamo|the name is",
        6,
        0.02,
        "The caller leaves name or address.",
    ),
    _group(
        "warm",
        r"thanks?|thank you|please|great|perfect|wonderful|works|happy|love|gracias|friend|referred|recommended",
        4,
        0.14,
        "The tone is friendly.",
    ),
    _group(
        "angry",
        r"unacceptable|third time|nobody calls|complain\w*|terrible|awful|angry|refund|lawyer|sue|worst|manager|review"
        r"|flat tire|rude|never again|ridiculous|scam",
        -18,
        -0.28,
        "The caller is upset.",
    ),
    _group(
        "pitch",
        r"seo|search results|page one|first page|rank(?:ing|ings)?|google listing|backlinks?|guest post"
        r"|web ?site traffic|courtesy call|press one|digital marketing|lead generation"
        r"|guaranteed|unsubscribe|crypto|casino|loan offer"
        r"|increase your (?:traffic|sales)|business owner|bulk e?mail",
        -30,
        0.0,
        "This reads like an unsolicited sales pitch.",
    ),
)
_SERVICES: Final = (
    ("roof replacement", r"whole roof|new roof|roof replac\w+|re-?roof"),
    ("roof repair", r"roof\w*|shingles?|leak\w*|ceiling|hail"),
    ("gutters", r"gutters?"),
    ("dental implant", r"implants?"),
    ("dental emergency", r"muela|toothache|duele|broken tooth"),
    ("dental care", r"dent\w+|tooth|teeth|molar|crown|cleaning"),
    ("marketing", r"website|branding|campaign|advert\w+|marketing|logo"),
)
_SPANISH: Final = re.compile(
    r"\b(?:quiero|cita|buenos|buenas|gracias|hija|hijo|tiene|tenemos|duele|hola|para|necesito|llamo|mañana|seguro|una|el)\b",
    re.IGNORECASE,
)
_BASE_SCORE: Final = 30
_TOP_SCORE: Final = 98


def read(text: str) -> Reading:
    """Judge a lead by its words. Empty text gives a low score with low confidence."""
    found = {g.name: {m.lower() for m in g.pattern.findall(text)} for g in _GROUPS}
    words = len(text.split())
    pitches, anger = len(found["pitch"]), len(found["angry"])
    spam = min(0.99, 0.9 + 0.03 * (pitches - 2)) if pitches >= 2 else 0.45 if pitches == 1 else 0.03
    score, mood = _BASE_SCORE, 0.0
    for group in _GROUPS:
        hits = found[group.name]
        if hits:
            score += group.score + 2 * min(3, len(hits) - 1) * (1 if group.score > 0 else -1)
            mood += group.mood * min(4, len(hits))
    if words < 12:
        score -= 10
    if pitches >= 2:
        score = min(score, 4)
    if anger >= 2:
        score = min(score, 15)
    spanish = len(_SPANISH.findall(text)) >= 3
    service = next((name for name, words_of in _SERVICES if re.search(rf"\b(?:{words_of})\b", text, re.I)), "general")
    tags = sorted(name for name, hits in found.items() if hits and name != "warm") + (["spanish"] if spanish else [])
    return Reading(
        lead_score=max(0, min(_TOP_SCORE, score)),
        spam=round(spam, 2),
        sentiment=round(max(-1.0, min(1.0, mood)), 2),
        confidence=round(min(0.95, 0.35 + words / 100), 2),
        urgency="high" if len(found["urgent"]) >= 2 and pitches < 2 else "medium" if found["urgent"] else "low",
        intent=_intent(found),
        service=service if pitches < 2 else "none",
        language="es" if spanish else "en",
        summary=_summary(text),
        tags=tuple(tags),
        reasons=tuple(g.reason for g in _GROUPS if found[g.name]) or ("There is little to go by.",),
    )


def _intent(found: dict[str, set[str]]) -> str:
    if len(found["pitch"]) >= 2:
        return "spam"
    if len(found["angry"]) >= 2:
        return "complaint"
    if found["appointment"] and not found["buying"]:
        return "appointment"
    if found["buying"] or found["urgent"]:
        return "purchase"
    return "appointment" if found["appointment"] else "question"


def _summary(text: str) -> str:
    """The first words, at most 160 characters, cut at a word."""
    flat = " ".join(text.split())
    return flat if len(flat) <= 160 else flat[:157].rsplit(" ", 1)[0] + " …"
