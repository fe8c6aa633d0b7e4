"""Secrets, struck out."""

import base64

from app.config.redaction import Redaction


def test_every_form_of_a_secret() -> None:
    """A secret is struck out as it is and as JSON's writers write it; the longest one first."""
    redaction = Redaction(["pass", "passwörd", 'with "quotes"', ""])
    assert redaction.text("a pass, a passwörd") == "a [secret], a [secret]"
    for form in ('with "quotes"', 'with \\"quotes\\"', "passw\\u00f6rd"):
        assert redaction.text(f"<{form}>") == "<[secret]>"
        assert redaction.bytes(f"<{form}>".encode()) == b"<[secret]>"
    assert redaction.reach == len(base64.b64encode(b'with "quotes"'))


def test_no_secrets() -> None:
    """Everything passes when there are no secrets."""
    redaction = Redaction([])
    assert redaction.text("x") == "x"
    assert redaction.bytes(b"x") == b"x"
    assert redaction.reach == 0
