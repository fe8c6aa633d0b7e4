"""Spaces as Lagrange describes them."""

import json
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Permanent
from app.spaces.ldl import hardware
from app.spaces.source import (
    Kind,
    Space,
    SpaceFile,
    kind,
)
from app.spaces.source.space import read
from k8s.workload import Resources

WALLET = "0x" + "AB" * 20
UUID = "0F7E0A1C-7F9E-4C1B-9B5B-0A1B2C3D4E5F"


def described(*names: str, **config: Any) -> dict[str, Any]:
    """Describe a Space as Lagrange does."""
    files = [
        {"name": f"{WALLET}/spaces/hello/{name}", "url": "https://x/" + name} for name in names
    ]
    order = {"config": {"description": "CPU only · 2 vCPU · 16 GiB", "vcpu": 2} | config}
    return {
        "data": {
            "files": files,
            "owner": {"public_address": WALLET},
            "space": {"uuid": UUID, "name": "hello", "activeOrder": order},
        },
        "status": "success",
    }


def refusal(document: Any) -> str:
    """Return the message that refuses a description."""
    with pytest.raises(Permanent) as caught:
        read(json.dumps(document).encode(), max_files=10)
    assert caught.value.category == "source_invalid"
    return str(caught.value)


def test_read() -> None:
    """A description is read with its identifiers in lower case, unknown fields ignored."""
    space = read(json.dumps(described("deploy.yaml", "src/a")).encode(), max_files=2)
    assert space == Space(
        uuid=UUID.lower(),
        name="hello",
        wallet=WALLET.lower(),
        hardware="CPU only · 2 vCPU · 16 GiB",
        gpu_count=None,
        storage_bytes=None,
        files=(
            SpaceFile("deploy.yaml", "https://x/deploy.yaml"),
            SpaceFile("src/a", "https://x/src/a"),
        ),
    )


def test_the_order_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many steps ask for it, and not before one does."""
    parse = Mock(wraps=hardware.parse)
    monkeypatch.setattr(hardware, "parse", parse)
    document = described("deploy.yaml", gpu=0, storage=1 << 30)
    space = read(json.dumps(document).encode(), max_files=1)
    assert not parse.called
    assert space.order == Resources(
        cpu_millis=2000, memory_bytes=16 << 30, storage_bytes=1 << 30, gpu=None
    )
    assert space.order is space.order
    assert parse.call_count == 1


def test_an_order_that_is_none() -> None:
    """It fails the task as its deployment file would, where it is asked for."""
    document = described("deploy.yaml", description="a lot")
    space = read(json.dumps(document).encode(), max_files=1)
    with pytest.raises(Permanent, match="hardware: `a lot` must read like") as caught:
        _ = space.order
    assert caught.value.category == "ldl_refused"


@pytest.mark.parametrize(
    ("given_value", "value"), [(2, 2), ("2", 2), (2.0, 2), (0, 0), ("", None), (None, None)]
)
def test_numbers(given_value: object, value: int | None) -> None:
    """GPUs and storage are read as numbers or as texts of digits."""
    document = described("Dockerfile", gpu=given_value, storage=given_value)
    space = read(json.dumps(document).encode(), max_files=1)
    assert (space.gpu_count, space.storage_bytes) == (value, value)


@pytest.mark.parametrize("value", [-1, 1.5, "1.5", True, [], {}, 1 << 60, "²", float("inf")])
def test_wrong_numbers(value: object) -> None:
    """A wrong number is named."""
    if value == float("inf"):
        with pytest.raises(Permanent):
            read(b'{"data": {"space": 1e999}}', max_files=1)
        return
    message = refusal(described("a", gpu=value))
    assert "data.space.activeOrder.config.gpu: has to be a whole number from 0" in message


def test_every_wrong_field_is_named() -> None:
    """All wrong fields are named at once, each where it is."""
    document = described("deploy.yaml", "../x", "/y", description="", storage="much")
    document["data"]["owner"]["public_address"] = "0x12"
    document["data"]["space"] |= {"uuid": "1", "name": "a\x1b[31m"}
    document["data"]["files"].append({"name": 3})
    message = refusal(document)
    for field in (
        "data.owner.public_address",
        "data.space.uuid",
        "data.space.name",
        "data.space.activeOrder.config.description",
        "data.space.activeOrder.config.storage",
        "data.files[3].name",
        "data.files[3].url",
    ):
        assert f"{field}: " in message


def test_wrong_paths_are_named() -> None:
    """Files with refused paths are named with the reason."""
    message = refusal(described("deploy.yaml", "../x", "a", "A"))
    assert "data.files[1].name: a path must be relative" in message
    assert "data.files: 'a' and 'A' are the same file" in message


def test_other_wallets_files() -> None:
    """A file of another wallet is refused."""
    document = described("deploy.yaml")
    document["data"]["owner"]["public_address"] = "0x" + "cd" * 20
    assert "data.files[0].name: the name does not begin with the owner's wallet" in refusal(
        document
    )


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ((), "the document: has to be an object"),
        (("data",), "data: has to be an object"),
        (("data", "owner"), "data.owner: has to be an object"),
        (("data", "space", "activeOrder"), "data.space.activeOrder: has to be an object"),
        (("data", "files"), "data.files: has to be `array`, got `null`"),
    ],
)
def test_missing_parts(path: tuple[str, ...], message: str) -> None:
    """A part that is missing is named once, without the fields that it would have."""
    document: Any = described("deploy.yaml")
    if not path:
        assert message in refusal(None)
        return
    part = document
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = None
    assert refusal(document).count(";") == 0
    assert message in refusal(document)


def test_too_many_files() -> None:
    """More files than allowed are refused whatever their paths."""
    message = refusal(described(*(f"f{number}" for number in range(11))))
    assert "data.files: 11 entries, at most 10 are allowed" in message


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"\xff", b"[" * 100_000])
def test_not_json(body: bytes) -> None:
    """A malformed document is refused as not JSON."""
    with pytest.raises(Permanent, match="not JSON"):
        read(body, max_files=1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "files", "owner", "space", "name", "url", "activeOrder"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_document_is_read_or_refused(document: Any) -> None:
    """No JSON makes the reader fail in any other way than by a refusal."""
    try:
        read(json.dumps(document).encode(), max_files=3)
    except Permanent as error:
        assert error.category == "source_invalid"  # noqa: PT017 - reading may also succeed.


def of(*found: str) -> Space:
    """Make a Space of these files."""
    files = tuple(SpaceFile(path, "") for path in found)
    return Space("", "", "", "", None, None, files)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (("Dockerfile", "deploy.yaml", "model-setting.json"), Kind("ldl", "deploy.yaml")),
        (("deploy.yml", "deploy.yaml"), Kind("ldl", "deploy.yaml")),
        (("Dockerfile", "deploy.yml"), Kind("ldl", "deploy.yml")),
        (("a/deploy.yaml", "Deploy.YML"), Kind("ldl", "Deploy.YML")),
        (("a/deploy.yaml", "Dockerfile"), Kind("ldl", "a/deploy.yaml")),
        (("Dockerfile", "model-setting.json"), Kind("model", "model-setting.json")),
        (("README.md", "dockerfile"), Kind("image", "dockerfile")),
    ],
)
def test_kind(found: tuple[str, ...], expected: Kind) -> None:
    """LDL goes before model inference, that before an image build; the shallowest file counts."""
    assert kind(of(*found)) == expected


@pytest.mark.parametrize("found", [(), ("README.md",), ("a/deploy.yaml", "b/deploy.yml")])
def test_no_kind(found: tuple[str, ...]) -> None:
    """A Space that nothing, or too much, decides is refused."""
    with pytest.raises(Permanent):
        kind(of(*found))
