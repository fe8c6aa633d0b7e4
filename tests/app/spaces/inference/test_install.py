"""Tests of installing the images that serve models, as far as they need no builder."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import main
from app.config import Config, Registry
from app.errors import Permanent
from app.spaces.inference import install as framework_install
from tests.support import fake_registry
from tests.support.fake_registry import FakeRegistry


@pytest.fixture
def target() -> Iterator[FakeRegistry]:
    """An empty registry."""
    with fake_registry.serving() as registry:
        yield registry


def install(target: FakeRegistry, folder: Path) -> framework_install.Installed:
    """Install one framework from the folder's sources."""
    return framework_install.install(
        Config(registry=Registry(server_address=target.url)),
        folder,
        "diffusers",
        folder / framework_install.SOURCES,
        seconds=10,
        again=False,
        tell=print,
    )


def test_an_image_in_the_registry_is_kept(target: FakeRegistry, tmp_path: Path) -> None:
    """An image that the registry has needs no sources."""
    target.answer = lambda _path, _authorization: (200, {}, b"{}")
    assert install(target, tmp_path) == framework_install.Installed(
        f"{target.host}/lagrange/diffusers:v1.0",
        f"sha256:{hashlib.sha256(b'{}').hexdigest()}",
        built=False,
    )
    assert target.asked[0][0] == "/v2/lagrange/diffusers/manifests/v1.0"


def test_missing_sources(target: FakeRegistry, tmp_path: Path) -> None:
    """Without sources the error says how to get them; with others, which frameworks they have."""
    with pytest.raises(Permanent, match="has no sources; get them: git clone https://") as missing:
        install(target, tmp_path)
    assert missing.value.category == "sources_missing"
    for name in ("timm", "common"):
        place = tmp_path / framework_install.SOURCES / "docker_images" / name
        place.mkdir(parents=True)
        (place / "Dockerfile").touch()
    with pytest.raises(Permanent, match=r"has no diffusers; it has timm$"):
        install(target, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["mlx", "timm"], 2, "mlx: not a framework; choose from adapter_transformers, "),
        (["timm"], 1, "timm: there is no registry for the images; set [Registry] ServerAddress"),
        ([], 2, "Missing argument 'FRAMEWORKS...'"),
    ],
)
def test_the_command_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, words: str
) -> None:
    """An error is one line on standard error, and an exit status."""
    monkeypatch.setenv("CP_PATH", str(tmp_path))
    result = CliRunner().invoke(main, ["inference", "install", *arguments])
    assert result.exit_code == code
    assert words in result.stderr
    assert result.stdout == ""
