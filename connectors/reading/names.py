"""The names under which websites usually send a field, for forms without a mapping of their own.

Only exact names (case, blanks, dashes and underscores apart) are taken: a wrong guess in a CRM is worse than a value
left in `lead.extra`, where rules and `endpoint.fields` still reach it.
"""

from collections.abc import Mapping
from typing import Any

from connectors.reading.text import text_of

_LEAD = {
    "name": ("name", "fullname", "yourname", "contactname", "customername"),
    "first_name": ("firstname", "fname", "givenname"),
    "last_name": ("lastname", "lname", "surname", "familyname"),
    "email": ("email", "emailaddress", "youremail", "mail"),
    "phone": ("phone", "phonenumber", "telephone", "tel", "mobile", "yourphone", "cell"),
    "company": ("company", "companyname", "organization", "organisation"),
    "message": ("message", "comments", "comment", "yourmessage", "details", "inquiry", "question"),
    "street": ("street", "address", "streetaddress", "address1"),
    "city": ("city", "town"),
    "region": ("state", "province", "region"),
    "postal_code": ("zip", "zipcode", "postalcode", "postcode"),
    "country": ("country",),
    "language": ("language", "lang"),
}
_LEAD_BY_NAME = {name: field for field, names in _LEAD.items() for name in names}
_ATTRIBUTION = {
    "utm_source": "source",
    "utm_medium": "medium",
    "utm_campaign": "campaign",
    "utm_term": "term",
    "utm_content": "content",
    "gclid": "click_id",
    "fbclid": "click_id",
    "msclkid": "click_id",
    "landing_page_url": "landing_page",
    "landing_page": "landing_page",
    "referring_url": "referrer",
    "referrer": "referrer",
}


def lead_of(fields: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """What the usual names tell, and the names that were used up."""
    lead: dict[str, Any] = {}
    taken: set[str] = set()
    for name, value in fields.items():
        plain = name.lower().replace("-", "").replace("_", "").replace(" ", "")
        field = _LEAD_BY_NAME.get(plain)
        if field is not None and field not in lead and isinstance(value, str) and value:
            lead[field] = value
            taken.add(name)
    return lead, taken


def attribution_of(fields: Mapping[str, Any]) -> tuple[dict[str, str], set[str]]:
    """Where the person came from, by the usual parameter names, and the names that were used up."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name, target in _ATTRIBUTION.items():
        if name in fields and target not in found and (value := text_of(fields[name])) is not None:
            found[target] = value
            taken.add(name)
    return found, taken
