"""A page, as text."""

from app.demo import http_get


def test_pages_are_shown_as_text() -> None:
    """Markup, scripts and control characters are left out."""
    body = b"<title>x</title><style>a{}</style><h1>Hello \x1b[31mthere</h1>\n\n<p>More</p>"
    assert http_get.lines(body) == ["Hello [31mthere", "More"]
    assert len(http_get.lines(b"line\n" * 100)) == 6
