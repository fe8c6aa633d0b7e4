"""Requests to the operator's registry, and the meaning of its answers."""

import asyncio
import base64
import hashlib
import json

import pytest

from app import config
from app.errors import Permanent, Temporary
from app.spaces.images import Registry, configured
from tests.support.fake_registry import Answer, FakeRegistry

MANIFEST = b'{"schemaVersion": 2}'
DIGEST = "sha256:" + hashlib.sha256(MANIFEST).hexdigest()
BASIC = "Basic " + base64.b64encode(b"operator:hunter2").decode()


def digest(registry: Registry) -> str | None:
    """Ask for an image."""
    return asyncio.run(registry.digest(f"{registry.place}/lagrange/space:tag"))


def test_an_image_that_is_there(fake: FakeRegistry, registry: Registry) -> None:
    """Its digest is that of the manifest, whatever the registry's headers say."""
    fake.answer = lambda _path, _auth: (200, {"Docker-Content-Digest": "sha256:0"}, MANIFEST)
    assert digest(registry) == DIGEST
    assert fake.asked == [("/v2/lagrange/space/manifests/tag", "")]


def test_an_image_that_is_not_there(fake: FakeRegistry, registry: Registry) -> None:
    """There is no digest then."""
    assert digest(registry) is None
    assert fake.asked


def test_basic_credentials(fake: FakeRegistry, registry: Registry) -> None:
    """They are sent when the registry asks for them, not before."""

    def answer(_: str, authorization: str) -> Answer:
        if authorization == BASIC:
            return 200, {}, MANIFEST
        return 401, {"WWW-Authenticate": 'Basic realm="x"'}, b""

    fake.answer = answer
    assert digest(registry) == DIGEST
    assert [authorization for _, authorization in fake.asked] == ["", BASIC]


def test_a_token_server(fake: FakeRegistry, registry: Registry) -> None:
    """The credentials go to the token server, and its token to the registry."""

    def answer(path: str, authorization: str) -> Answer:
        if path.startswith("/token"):
            return fake.json(token="t0ken") if authorization == BASIC else (401, {}, b"")
        if authorization == "Bearer t0ken":
            return 200, {}, MANIFEST
        challenge = f'Bearer realm="{fake.url}/token",service="s, t",scope="x"'
        return 401, {"WWW-Authenticate": challenge}, b""

    fake.answer = answer
    assert digest(registry) == DIGEST
    assert fake.asked[1][0] == "/token?scope=repository:lagrange/space:pull&service=s,+t"


def test_a_token_server_without_tls_gets_no_credentials(fake: FakeRegistry) -> None:
    """A registry with TLS cannot have the credentials sent in the clear."""
    registry = Registry(host="r.example", user="operator", password="hunter2")
    challenge = {"www-authenticate": f'Bearer realm="{fake.url}/token"'}
    fake.answer = lambda _path, _auth: (401, challenge, b"")
    plain = Registry(host=fake.host, plain_http=True, user="operator", password="hunter2")
    challenge["www-authenticate"] = 'Bearer realm="ftp://r.example/token"'
    with pytest.raises(Permanent):
        digest(plain)
    assert "hunter2" not in repr(registry)
    assert [authorization for _, authorization in fake.asked] == [""]


def test_a_registry_that_asks_nobody_in_particular(fake: FakeRegistry) -> None:
    """Without credentials a demand for them is a refusal."""
    fake.answer = lambda _path, _auth: (401, {"WWW-Authenticate": 'Basic realm="x"'}, b"")
    with pytest.raises(Permanent, match="401"):
        digest(Registry(host=fake.host, plain_http=True))
    assert len(fake.asked) == 1


@pytest.mark.parametrize(
    ("status", "expected"), [(202, True), (200, True), (404, True), (405, False)]
)
def test_a_deletion(
    fake: FakeRegistry,
    registry: Registry,
    status: int,
    expected: bool,  # noqa: FBT001 - a case
) -> None:
    """It is by digest; what is gone already is deleted, and some registries delete nothing."""
    fake.answer = lambda _path, _auth: (status, {}, b"")
    image = f"{registry.place}/lagrange/space:tag"
    assert asyncio.run(registry.delete(image, DIGEST)) is expected
    assert fake.deleted == [f"/v2/lagrange/space/manifests/{DIGEST}"]


def test_a_deletion_that_is_refused(fake: FakeRegistry, registry: Registry) -> None:
    """The operator is told."""
    fake.answer = lambda _path, _auth: (403, {}, b"")
    with pytest.raises(Permanent):
        asyncio.run(registry.delete(f"{registry.place}/lagrange/space:tag", DIGEST))


@pytest.mark.parametrize("body", [b"", b"[]", b'{"token": 5}'])
def test_a_token_server_that_answers_nonsense(
    fake: FakeRegistry, registry: Registry, body: bytes
) -> None:
    """That may be better later."""
    challenge = {"WWW-Authenticate": f'Bearer realm="{fake.url}/token"'}
    fake.answer = lambda path, _: (200, {}, body) if "token" in path else (401, challenge, b"")
    with pytest.raises(Temporary):
        digest(registry)


@pytest.mark.parametrize("status", [401, 403, 400])
def test_a_registry_that_refuses(fake: FakeRegistry, registry: Registry, status: int) -> None:
    """A retry would not help; the operator is told where to look."""
    fake.answer = lambda _path, _auth: (status, {}, b"")
    with pytest.raises(Permanent, match=r"\[Registry\]") as caught:
        digest(registry)
    assert caught.value.category == "registry_refused"
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_registry_in_trouble(fake: FakeRegistry, registry: Registry, status: int) -> None:
    """It is asked again later."""
    fake.answer = lambda _path, _auth: (status, {}, b"")
    with pytest.raises(Temporary):
        digest(registry)


def test_a_registry_that_is_away() -> None:
    """It is asked again later."""
    with pytest.raises(Temporary):
        digest(Registry(host="127.0.0.1:1", plain_http=True))


@pytest.mark.parametrize(
    ("address", "place", "plain_http"),
    [
        ("registry.example.com", "registry.example.com", False),
        (" https://registry.example.com/ ", "registry.example.com", False),
        ("http://10.0.0.1:5000", "10.0.0.1:5000", True),
        ("ghcr.io/team/spaces/", "ghcr.io/team/spaces", False),
    ],
)
def test_addresses(address: str, place: str, plain_http: bool) -> None:  # noqa: FBT001 - a column.
    """The scheme says whether there is TLS; a path goes before our names."""
    found = configured(config.Registry(server_address=address, user_name="u", password="p"))
    assert found is not None
    assert (found.place, found.plain_http, found.user) == (place, plain_http, "u")


def test_no_address() -> None:
    """Then there is no registry."""
    assert configured(config.Registry(server_address="  ")) is None


@pytest.mark.parametrize("address", ["ftp://x", "a b", "x/UPPER", "x/..", "user:pw@x", "x?y", "-x"])
def test_addresses_that_are_none(address: str) -> None:
    """The operator is told what to correct."""
    with pytest.raises(Permanent, match="ServerAddress") as caught:
        configured(config.Registry(server_address=address))
    assert caught.value.category == "registry_invalid"


def test_credentials_as_builders_read_them() -> None:
    """They are for the registry's host and no other; without a user there are none."""
    registry = Registry(host="r.example:5000", path="/team", user="u", password="p:w")
    token = base64.b64encode(b"u:p:w").decode()
    assert json.loads(registry.docker_config()) == {"auths": {"r.example:5000": {"auth": token}}}
    assert json.loads(Registry(host="r.example").docker_config()) == {"auths": {}}
