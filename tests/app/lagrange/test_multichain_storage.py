"""The client of Multichain Storage, on real sockets."""

from collections.abc import Iterator

import pytest

from app.config import Mcs
from app.errors import Permanent, Temporary
from app.lagrange import multichain_storage
from app.net import http_client
from tests.support.fake_storage import API_KEY, Storage


@pytest.fixture
def storage() -> Iterator[Storage]:
    """An empty storage."""
    with Storage() as running:
        yield running


async def upload(storage: Storage, content: bytes = b"{}", **config: str) -> str:
    """Upload a result."""
    given = {"api_key": API_KEY, "bucket_name": "results", "server_url": storage.url} | config
    async with http_client.client() as session:
        client = multichain_storage.MultichainStorage(session, Mcs(**given))
        return await client.upload("jobs", "a.json", content)


async def test_an_upload(storage: Storage) -> None:
    """A file is checked, sent, merged and looked up; its URL is the gateway's."""
    url = await upload(storage, b'{"a": 1}')
    assert url == f"https://gateway.example.com/ipfs/{storage.files['jobs/a.json']['payload_cid']}"
    assert storage.content("jobs/a.json") == b'{"a": 1}'


async def test_again(storage: Storage) -> None:
    """The same file is found and not sent again; the URL stays."""
    first = await upload(storage)
    storage.calls.clear()
    assert await upload(storage) == first
    assert not {"oss_file/upload", "oss_file/merge"} & set(storage.calls)


async def test_another_content(storage: Storage) -> None:
    """A file of the same name and another content is replaced."""
    first = await upload(storage, b"old")
    assert await upload(storage, b"new") != first
    assert storage.content("jobs/a.json") == b"new"


async def test_chunks(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file goes in numbered parts."""
    monkeypatch.setattr(multichain_storage, "CHUNK_BYTES", 3)
    await upload(storage, b"0123456789")
    (parts,) = storage.chunks.values()
    assert parts == {"1_a.json": b"012", "2_a.json": b"345", "3_a.json": b"678", "4_a.json": b"9"}


async def test_large_chunks(storage: Storage) -> None:
    """A chunk of its full size arrives as it was."""
    content = bytes(range(256)) * (multichain_storage.CHUNK_BYTES // 256) + b"end"
    await upload(storage, content)
    assert storage.content("jobs/a.json") == content


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"api_key": "wrong"}, "wrong key"),
        ({"bucket_name": "none"}, "no bucket 'none'"),
        ({"network": "moon", "server_url": ""}, "polygon.mainnet or polygon.mumbai"),
    ],
)
async def test_refusals(storage: Storage, config: dict[str, str], message: str) -> None:
    """A refusal says what the operator has to correct, without the key."""
    with pytest.raises(Permanent, match=message) as caught:
        await upload(storage, b"{}", **config)
    assert API_KEY not in caught.value.message


@pytest.mark.parametrize("status", [408, 429, 500, 503])
@pytest.mark.parametrize("call", ["user/login_by_api_key", "oss_file/check", "oss_file/upload"])
async def test_outages(storage: Storage, call: str, status: int) -> None:
    """An outage is retried, and leaves no half of an upload."""
    storage.faults = lambda asked: status if asked == call else None
    with pytest.raises(Temporary):
        await upload(storage)
    storage.faults = lambda _: None
    assert await upload(storage)
    assert storage.content("jobs/a.json") == b"{}"


async def test_forbidden(storage: Storage) -> None:
    """A refused call is not retried."""
    storage.faults = lambda call: 403 if call == "oss_file/check" else None
    with pytest.raises(Permanent, match="403"):
        await upload(storage)


@pytest.mark.parametrize(
    "garbage",
    [
        b"<html>",
        b"null",
        b"[" * 100000,
        b'{"status":"success","data":{}}',
        b'{"status":"success","data":"a\\nb"}',
        b"\xff",
    ],
)
async def test_malformed_responses(storage: Storage, garbage: bytes) -> None:
    """A malformed response is retried."""
    storage.garbage = garbage
    with pytest.raises(Temporary, match="is malformed"):
        await upload(storage)


@pytest.mark.parametrize("cid", ["", "../../x", "a?b", "x" * 200, None])
async def test_hostile_addresses(storage: Storage, cid: object) -> None:
    """A malformed content identifier never gets into a URL."""
    await upload(storage)
    storage.files["jobs/a.json"]["payload_cid"] = cid
    with pytest.raises(Temporary, match="is malformed"):
        await upload(storage)


async def test_nobody_there() -> None:
    """A storage that cannot be reached is a temporary failure."""
    with Storage() as storage:
        pass
    with pytest.raises(Temporary):
        await upload(storage)
