"""What a vendor said may stand in a log: bounded, on one line, without credentials and personal data."""

import pytest

from connectors.crm.seam import Record
from connectors.crm.vendor_words import LIMIT, fit, personal
from schemas.decision import FieldWrite


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Email address dana.w+x@example.co.uk is invalid", "Email address [e-mail] is invalid"),
        ("phone +1 (312) 555-0143 is invalid", "phone [number] is invalid"),
        ("3125550143 was not valid", "[number] was not valid"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [hidden]"),
        ("token pat-na1-12345678-abcd-1234-abcd-123456789abc expired", "token [hidden] expired"),
        ("key SG.aaaaaaaaaaaaaaaaaaaaa1.bbbbbbbbbbbbbbbbbbbbbbb2", "key SG.[hidden].[hidden]"),
        ("two\n lines\t here", "two lines here"),
        ('Property "leadbus_contact_id" does not exist', 'Property "leadbus_contact_id" does not exist'),
        ("personalizations.0.to.0.email: no", "personalizations.0.to.0.email: no"),
        ("order 0f8fad5b-d9cb-469f-a165-70867728950e", "order 0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("STRING_TOO_LONG (max length=255)", "STRING_TOO_LONG (max length=255)"),
    ],
)
def test_personal_data_and_credentials_are_masked_and_the_rest_stays(said: str, kept: str) -> None:
    assert fit(said) == kept


def test_words_are_bounded() -> None:
    assert len(fit("word " * 1000)) == LIMIT


def test_values_of_personal_fields_and_the_secret_are_hidden_where_the_vendor_quotes_them() -> None:
    fields = (
        FieldWrite(name="LastName", value="Whitfield-Brown"),
        FieldWrite(name="dealstage", value="hot stage"),
        FieldWrite(name="phone", value=None),
    )
    hidden = personal([Record("lead", "id", fields)], "s3cret")
    said = "LastName: Whitfield-Brown is too long; hot stage was not an option; key s3cret"
    assert fit(said, hidden) == "LastName: [value] is too long; hot stage was not an option; key [value]"
