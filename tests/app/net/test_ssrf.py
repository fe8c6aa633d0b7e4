"""The guard against server-side request forgery."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from app.errors import Permanent
from app.net import addresses, ssrf


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///etc/passwd",
        "ftp://example.com/x",
        "gopher://example.com/",
        "//example.com/",
        "http:example.com",
        "http:/example.com",
        "http:///example.com",
        "http://",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://@example.com/",
        "http://example.com\\@127.0.0.1/",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://example.com:x/",
        "http://exa mple.com/",
        "http://exa\tmple.com/",
        "http://example.com/\r\nHost: x",
        " http://example.com/",
        "http://ex%61mple.com/",
        "http://a..b/",
        f"http://{'a' * 64}.com/",
        f"http://{'a.' * 130}com/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://①②⑦.0.0.1/",
        "http://１２７.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1%25eth0]/",
        "http://[::1]x/",
        "http://169.254.169.254/latest/meta-data/",
        "http://example.com/" + "a" * 9000,
    ],
)
def test_refused(url: str) -> None:
    """A URL that leads anywhere private, or is not plainly http, is refused."""
    with pytest.raises(Permanent) as caught:
        ssrf.permit(url, allow_private=False)
    assert caught.value.category == "source_refused"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "http://EXAMPLE.com.:8080/a%2Fb/%7Ec?x=%2b&y=a+b%20c#f",
        "https://8.8.8.8/x",
        "https://[2606:4700:4700::1111]:8443/x",
        "https://bücher.example/ä b",
        "https://gateway.example/ipfs/Qm?filename=a@b",
    ],
)
def test_permitted(url: str) -> None:
    """A plain URL of a public host or of a name is let through."""
    assert ssrf.permit(url, allow_private=False).scheme in url


def test_the_spelling_of_path_and_query_stays() -> None:
    """A URL that needs no quoting is not respelt, since a signature may cover it."""
    url = "https://example.com/%7Ea/%2f?X-Amz-Signature=%2b%2F&d=a%20b"
    assert str(ssrf.permit(url, allow_private=False)) == url


def test_private_addresses_by_choice() -> None:
    """`allow_private` lifts the check of addresses, and no other."""
    assert ssrf.permit("http://127.0.0.1:8000/", allow_private=True).host == "127.0.0.1"
    for url in ("http://127.1/", "file:///etc/passwd", "http://u@127.0.0.1/"):
        with pytest.raises(Permanent):
            ssrf.permit(url, allow_private=True)


@pytest.mark.parametrize(
    ("location", "target"),
    [("/b", "https://a.example/b"), ("//b.example/c", "https://b.example/c"), ("?q", None)],
)
def test_redirects_are_resolved(location: str, target: str | None) -> None:
    """A relative redirect is read against the URL that sent it."""
    current = URL("https://a.example/a")
    found = ssrf.redirect(current, location, allow_private=False)
    assert str(found) == (target or "https://a.example/a?q")


@pytest.mark.parametrize(
    "location",
    [
        "http://a.example/",
        "http://127.0.0.1/",
        "file:///x",
        "//[::1]/",
        "https://u:p@a.example/",
        "//①②⑦.0.0.1/",
        "http://[::1",
        "\x00",
        "/\udcff",
    ],
)
def test_redirects_are_checked(location: str) -> None:
    """A redirect is refused like a URL, and when it leaves https."""
    with pytest.raises(Permanent):
        ssrf.redirect(URL("https://a.example/"), location, allow_private=False)


@given(st.text(max_size=60) | st.from_regex(r"(?i)https?://[!-~]{0,40}", fullmatch=True))
def test_any_text_is_permitted_or_refused(url: str) -> None:
    """No text makes the guard fail otherwise, and no literal passes that is not public."""
    try:
        permitted = ssrf.permit(url, allow_private=False)
    except Permanent:
        return
    assert permitted.scheme in {"http", "https"}
    assert permitted.user is None
    assert permitted.password is None
    host = permitted.raw_host or ""
    address = addresses.literal(host)
    assert address is None or addresses.is_public(address)


def test_the_last_line_refuses_private_sockets() -> None:
    """A connection to a private address is not even opened, wherever it came from."""
    address = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 80))
    with pytest.raises(PermissionError):
        ssrf.open_public_socket(address)
    public = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("8.8.8.8", 80))
    ssrf.open_public_socket(public).close()
