"""From a path to the value that a step writes. Pure.

Null, empty text and empty lists are no value: a step leaves such fields out, so that nothing is overwritten with
nothing. What a tenant draws from a pool is not known before the decision is stored; until then its place is held:

    in a field      the value {"$ticket": "<pool>"}
    in a mail       the text {"$ticket":"<pool>"}, as JSON

Whoever carries out the step puts the drawn member there (`Ticket.member` of that pool in `Decision.tickets`). No other
field value is ever an object: objects of a lead become text, and text of a lead that begins like a ticket gets a blank
in front. `ticket_of` tells the two forms from everything else.
"""

from collections.abc import Mapping
from typing import Any, Final

from schemas import codec

ASSIGNED: Final = "assigned."
TICKET: Final = "$ticket"
_TICKET_TEXT: Final = f'{{"{TICKET}":'
_OBJECT: Final = (dict, Mapping)
"""`dict` first: asking whether something is a Mapping takes ten times as long."""


def placeholder(pool: str) -> dict[str, str]:
    """The value that stands for the member that will be drawn from a pool."""
    return {TICKET: pool}


def ticket_of(value: Any) -> str | None:
    """The pool that a resolved value stands for, in either form; None for every other value."""
    if isinstance(value, str) and value.startswith(_TICKET_TEXT):
        try:
            value = codec.loads(value)
        except ValueError:
            return None
    return str(value[TICKET]) if isinstance(value, Mapping) and _is_placeholder(value) else None


def look_up(path: str, facts: Mapping[str, Any], pools: Mapping[str, str]) -> Any:
    """The value of a path, or None. `pools` maps names that follow `assigned.` to the pools drawn from so far."""
    if path.startswith(ASSIGNED):
        pool = pools.get(path.removeprefix(ASSIGNED))
        return placeholder(pool) if pool else None
    value: Any = facts
    rest, more = path, "."
    while more:
        if isinstance(value, _OBJECT):
            # Names of vendors hold dots; the rest as one name is tried before the next part.
            if rest in value:
                return _known(value[rest])
            part, more, rest = rest.partition(".")
            value = value.get(part)
        elif isinstance(value, list):
            part, more, rest = rest.partition(".")
            if not part.isdigit() or int(part) >= len(value):
                return None
            value = value[int(part)]
        else:
            return None
    return _known(value)


def field_value(value: Any) -> Any:
    """What is written to a field: text, number, boolean, a list of text, or a placeholder; None for nothing.

    Lists stay lists, because each vendor writes several values in its own way.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return [_guarded(text) for item in value if (text := _text(item))] or None
    if isinstance(value, _OBJECT) and not _is_placeholder(value):
        return codec.canonical(value).decode()
    return value


def mail_text(value: Any) -> str | None:
    """What stands in a line of a mail; None when the line is left out."""
    if isinstance(value, Mapping) and _is_placeholder(value):
        return codec.canonical(value).decode()
    return ", ".join(field_value(value) or ()) or None if isinstance(value, list) else _text(field_value(value))


def _is_placeholder(value: Mapping[str, Any]) -> bool:
    # Identity of form is safe: facts that come from a lead pass `_known` first, which turns such objects into text.
    return set(value) == {TICKET}


def _known(value: Any) -> Any:
    if isinstance(value, str):
        return _guarded(value) if value else None
    if value is None or value == [] or value == {}:
        return None
    if isinstance(value, _OBJECT):
        return _guarded(codec.canonical(value).decode())
    return value


def _guarded(text: str) -> str:
    return f" {text}" if text.startswith(_TICKET_TEXT) else text


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping | list):
        return codec.canonical(value).decode()
    return str(value)
