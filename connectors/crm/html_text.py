"""Text as HTML that shows exactly that text: for notes and mails, whose bodies vendors keep as HTML."""

import html
import unicodedata

CUT = "…"


def text_as_html(text: str, limit: int | None = None) -> str:
    """Everything escaped, line breaks as `<br>`; cut so that the result has at most `limit` characters."""
    made = _escaped(text)
    if limit is None or len(made) <= limit:
        return made
    kept = limit
    while kept > 0:
        made = _escaped(text[:kept]) + CUT
        if len(made) <= limit:
            return made
        kept -= max(1, (len(made) - limit) // 6)
    return ""


def html_as_text(markup: str) -> str:
    """The text that `text_as_html` was given."""
    plain = markup.replace("<br />", "\n").replace("<br/>", "\n").replace("<br>", "\n")
    return html.unescape(plain)


def _escaped(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    clean = "".join(c for c in lines if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
    return html.escape(clean, quote=True).replace("\n", "<br>")
