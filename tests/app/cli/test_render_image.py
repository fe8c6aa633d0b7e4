"""Tests of `render` for a Space with a Dockerfile, without cluster, registry or builder."""

import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from app.cli import main

DOCKERFILE = "FROM python:3.11\nENV PORT=7860\nCOPY . /code\nEXPOSE $PORT\n"


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """A Space with a Dockerfile."""
    folder = tmp_path / "My Space"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "app.py").write_text("print()")
    return folder


def render(space: Path, *options: str, config: str = "") -> Result:
    """Render a Space for a provider with this configuration."""
    folder = space.parent / "provider"
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text(config)
    return CliRunner().invoke(main, ["--cp-repo", str(folder), "render", str(space), *options])


def image(result: Result) -> str:
    """Return the image that the Deployment names."""
    assert result.exit_code == 0, result.output
    [name] = re.findall(r"image: (\S+)", result.stdout)
    return str(name)


def test_the_manifests(space: Path) -> None:
    """One service with the order's hardware, its port at the host name, its image by tag."""
    result = render(
        space, "--hardware", "Nvidia A4000 · 4 vCPU · 32 GiB", "--host", "a.example.com"
    )
    assert re.fullmatch(
        r"registry\.example\.com/lagrange/[0-9a-f-]{36}:[0-9a-f]{32}", image(result)
    )
    by_kind = {manifest["kind"]: manifest for manifest in yaml.safe_load_all(result.stdout)}
    pod = by_kind["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["ports"][0]["containerPort"] == 7860
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert pod["nodeSelector"] == {"NVIDIA-A4000": "true"}
    assert by_kind["Ingress"]["spec"]["rules"][0]["host"] == "a.example.com"


def test_the_operators_registry(space: Path) -> None:
    """Its address is part of the name, its scheme is not; the content decides the tag."""
    config = '[Registry]\nServerAddress = "http://10.0.0.1:5000/team"\n'
    before = image(render(space, config=config))
    assert before.startswith("10.0.0.1:5000/team/lagrange/")
    assert image(render(space, config=config)) == before
    (space / "app.py").write_text("print(1)")
    assert image(render(space, config=config)) != before


def test_no_port(space: Path) -> None:
    """The author is warned of the default port."""
    (space / "Dockerfile").write_text("FROM nginx\n")
    result = render(space)
    assert result.exit_code == 0
    assert "containerPort: 80\n" in result.stdout
    assert "warning: the Dockerfile exposes no TCP port" in result.stderr


def test_refusals(space: Path) -> None:
    """An invalid address and a context that is too large are one line each."""
    result = render(space, config='[Registry]\nServerAddress = "a b"\n')
    assert (result.exit_code, "ServerAddress" in result.stderr) == (2, True)
    result = render(space, config="[BUILD]\nMaxContextBytes = 10\n")
    assert (result.exit_code, "more than 10 bytes" in result.stderr) == (2, True)
