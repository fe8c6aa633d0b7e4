"""Redirects, and names that lead to private addresses."""

import pytest

from app.errors import Permanent, Temporary
from app.net import addresses
from app.net.http_client import Fetcher
from tests.support.raw_http import LIMITS, Names, answer, answering, fetch, serving


async def test_redirects_are_followed() -> None:
    """A redirect is followed, without the headers when it leaves the origin."""
    target, target_heads = answering(answer("200 OK", b"there"))
    async with serving(target) as there:
        away = f"Location: http://127.0.0.1:{there}/y"
        start, heads = answering(
            answer("302 Found", b"", "Location: /x"), answer("307 Temporary", b"", away)
        )
        async with serving(start) as here, Fetcher(allow_private=True) as fetcher:
            url = f"http://127.0.0.1:{here}/"
            assert await fetcher.get(url, limits=LIMITS, headers={"X-Own": "1"}) == b"there"
    assert [b"X-Own" in head for head in heads + target_heads] == [True, True, False]


async def test_redirects_end() -> None:
    """A circle of redirects ends at the limit."""
    handler, heads = answering(answer("302 Found", b"", "Location: /"))
    async with serving(handler) as port:
        with pytest.raises(Permanent, match="redirects more than 3 times"):
            await fetch(port)
    assert len(heads) == 4


@pytest.fixture
def _loopback_2_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 127.0.0.2 stand for the public internet."""
    monkeypatch.setattr(addresses, "is_public", lambda address, **_: address == "127.0.0.2")


@pytest.mark.usefixtures("_loopback_2_is_public")
@pytest.mark.parametrize("location", ["http://127.0.0.1:{port}/", "http://localhost:{port}/"])
async def test_redirect_to_a_private_address(location: str) -> None:
    """A redirect from a public server to a private one is refused, by address or by name."""
    private, private_heads = answering(answer("200 OK", b"secret"))
    async with serving(private) as port:
        where = f"Location: {location.format(port=port)}"
        public, _ = answering(answer("302 Found", b"", where))
        names = Names("127.0.0.2", "127.0.0.1")
        async with serving(public, "127.0.0.2") as there, Fetcher(resolver=names) as fetcher:
            with pytest.raises(Permanent) as caught:
                await fetcher.get(f"http://public.example:{there}/", limits=LIMITS)
    assert caught.value.category == "source_refused"
    assert private_heads == []


@pytest.mark.usefixtures("_loopback_2_is_public")
async def test_rebinding() -> None:
    """A name is resolved once per connection, and that address alone is connected to."""
    handler, _ = answering(answer("200 OK", b"public"))
    names = Names("127.0.0.2", "127.0.0.1")
    async with serving(handler, "127.0.0.2") as port, Fetcher(resolver=names) as fetcher:
        url = f"http://rebound.example:{port}/"
        assert await fetcher.get(url, limits=LIMITS) == b"public"
        assert names.asked == 1
        with pytest.raises(Permanent, match=r"rebound\.example is not on the public internet"):
            await fetcher.get(url, limits=LIMITS)


@pytest.mark.usefixtures("_loopback_2_is_public")
async def test_one_private_address_among_public_ones() -> None:
    """A name with a private address beside a public one is refused."""
    async with Fetcher(resolver=Names("127.0.0.2 127.0.0.1")) as fetcher:
        with pytest.raises(Permanent):
            await fetcher.get("http://mixed.example/", limits=LIMITS)


async def test_private_names_are_refused() -> None:
    """What the system resolves to a private address is refused by default."""
    async with Fetcher() as fetcher:
        with pytest.raises(Permanent):
            await fetcher.get("http://localhost:1/", limits=LIMITS)


async def test_unknown_names_are_temporary() -> None:
    """A name that cannot be resolved may be known later."""
    async with Fetcher() as fetcher:
        with pytest.raises(Temporary, match="cannot be resolved"):
            await fetcher.get("http://nowhere.invalid/", limits=LIMITS)
