"""Facts about the person that follow from name, address and number alone. Pure; absent input gives null facts."""

from typing import Any

import phonenumbers
from phonenumbers import PhoneNumberType

from schemas.lead import Lead, Mode

UNKNOWN = "Unknown caller"

_FREE_WORDS = """
gmail.com googlemail.com yahoo.com ymail.com outlook.com hotmail.com live.com msn.com aol.com icloud.com me.com
mac.com proton.me protonmail.com gmx.com gmx.net gmx.de web.de mail.com zoho.com comcast.net verizon.net att.net
sbcglobal.net bellsouth.net charter.net cox.net yandex.com qq.com 163.com orange.fr free.fr libero.it
"""
_DISPOSABLE_WORDS = """
mailinator.com guerrillamail.com 10minutemail.com yopmail.com trashmail.com temp-mail.org tempmail.com
sharklasers.com getnada.com dispostable.com maildrop.cc throwawaymail.com
"""
_ROLE_WORDS = """
info sales office admin administrator support contact hello billing accounts accounting hr jobs marketing
noreply no-reply donotreply postmaster webmaster abuse help service team reception frontdesk
"""
_FREE = frozenset(_FREE_WORDS.split())
_DISPOSABLE = frozenset(_DISPOSABLE_WORDS.split())
_ROLES = frozenset(_ROLE_WORDS.split())
_LINES = {
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE: "fixed_line",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "fixed_line_or_mobile",
    PhoneNumberType.TOLL_FREE: "toll_free",
    PhoneNumberType.PREMIUM_RATE: "premium_rate",
    PhoneNumberType.SHARED_COST: "shared_cost",
    PhoneNumberType.VOIP: "voip",
    PhoneNumberType.PERSONAL_NUMBER: "personal_number",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "company_number",
    PhoneNumberType.VOICEMAIL: "voicemail",
}
_MODES = {
    Mode.PHONE_CALL: "Phone call",
    Mode.FORM: "Form",
    Mode.CALENDAR: "Booking",
    Mode.CHAT: "Chat",
    Mode.OTHER: "Inquiry",
}


def email_facts(email: str | None) -> dict[str, Any]:
    """domain, free (a public mail provider), disposable, role (an address of a function, not of a person)."""
    local, at, domain = (email or "").rpartition("@")
    if not at or not domain:
        return {"domain": None, "free": None, "disposable": None, "role": None}
    domain = domain.lower()
    return {
        "domain": domain,
        "free": domain in _FREE,
        "disposable": domain in _DISPOSABLE,
        "role": local.lower().partition("+")[0] in _ROLES,
    }


def phone_facts(phone: str | None) -> dict[str, Any]:
    """country (ISO 3166 code), type of line, and whether the numbering plan knows the number."""
    try:
        number = phonenumbers.parse(phone or "")
    except phonenumbers.NumberParseException:
        return {"country": None, "type": None, "valid": None if phone is None else False}
    region = phonenumbers.region_code_for_number(number)
    line = phonenumbers.number_type(number)
    return {
        "country": region or _only_region(number.country_code),
        "type": _LINES.get(line, "unknown"),
        "valid": line != PhoneNumberType.UNKNOWN,  # what `is_valid_number` would find out once more
    }


def name_facts(lead: Lead, mode: Mode) -> dict[str, Any]:
    """Names that are always there for fields that a CRM requires, and parts of a name that came in one piece."""
    whole = lead.name or " ".join(part for part in (lead.first_name, lead.last_name) if part) or None
    words = (whole or "").split()
    given = lead.first_name or (" ".join(words[:-1]) or None)
    family = lead.last_name or (words[-1] if words else None)
    display = whole or lead.email or lead.phone or UNKNOWN
    return {
        "given_name": given,
        "family_name": family,
        "display_name": display,
        "last_name_or_unknown": family or lead.phone or lead.email or UNKNOWN,
        "title": f"{_MODES.get(mode, 'Inquiry')}: {display}",
    }


def _only_region(country_code: int | None) -> str | None:
    region = phonenumbers.region_code_for_country_code(country_code or 0)
    return region if len(region) == 2 and region != "ZZ" else None
