"""Headers and bodies of answers."""

import pytest

from app.net.response_bodies import retry_after


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (" 12 ", 12.0),
        ("99999999999999999999", 86400.0),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2215 07:28:00 GMT", 86400.0),
        ("Wed, 21 Oct 99999999 07:28:00 GMT", None),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    """`Retry-After` is read as seconds or as a date, within a day."""
    assert retry_after({"Retry-After": text}) == seconds
