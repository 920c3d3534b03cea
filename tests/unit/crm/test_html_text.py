"""Text as HTML shows exactly that text."""

import pytest

from connectors.crm.html_text import html_as_text, text_as_html


@pytest.mark.parametrize("text", ["a < b & c", '<script>"x"</script>', "two\nlines", "emoji 👩‍👩‍👧 é", "&amp;", ""])
def test_it_can_be_read_back(text: str) -> None:
    made = text_as_html(text)
    assert "<script" not in made
    assert html_as_text(made) == text


def test_control_characters_go_and_line_ends_become_breaks() -> None:
    assert text_as_html("a\x00b\x1b\r\nc\rd") == "ab<br>c<br>d"


@pytest.mark.parametrize("limit", [40, 41, 42, 43, 44, 45, 100])
def test_a_cut_never_breaks_an_entity(limit: int) -> None:
    made = text_as_html("&" * 200, limit)
    assert len(made) <= limit
    assert made.endswith("…")
    assert set(html_as_text(made)) == {"&", "…"}
    assert len(made) > limit - 12
