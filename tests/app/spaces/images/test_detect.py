"""The command lines of every builder: what they have to say, and what they must not."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import Permanent
from app.spaces.images import BuildRequest, choose, sandbox
from app.spaces.images.build_request import BuildProgram, Command, Network
from app.spaces.images.detect import PROGRAMS

every_builder = pytest.mark.parametrize("builder", PROGRAMS, ids=lambda program: program.program)


def commands(builder: BuildProgram, order: BuildRequest) -> list[Command]:
    """Return all command lines of a builder."""
    others = [builder.ready(), builder.clean(order)]
    return [builder.build(order), builder.push(order), *filter(None, others)]


@every_builder
def test_credentials_are_in_no_command(
    builder: BuildProgram, order: BuildRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others on the machine see command lines; the operator's secrets are not there."""
    monkeypatch.setenv("CP_REGISTRY_PASSWORD", "hunter2")
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", "hunter2")
    for command in commands(builder, order):
        assert command[0] == builder.program
        assert "hunter2" not in repr(sandbox.confined(command, order, builder))
    assert "hunter2" not in repr(sandbox.environment(order, builder))


@every_builder
def test_credentials_are_there_for_the_push_alone(
    builder: BuildProgram, order: BuildRequest
) -> None:
    """The file that the builder reads has none at first, and only we can read it when it has."""
    sandbox.prepare(order)
    path = order.docker_folder / "config.json"
    environment = sandbox.environment(order, builder)
    assert str(order.docker_folder) in repr(environment)
    assert path.read_bytes() == b'{"auths": {}}'
    sandbox.write_credentials(order, order.registry.docker_config())
    assert order.registry.host.encode() in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600


@every_builder
def test_the_context_and_the_name(builder: BuildProgram, order: BuildRequest) -> None:
    """The build is of our folder, our Dockerfile and our name, and both commands name the image."""
    build, push = builder.build(order), builder.push(order)
    assert any(str(order.context.folder) in word for word in build)
    assert any("Dockerfile" in word for word in build)
    assert any(order.image in word for word in build)
    assert any(order.image in word for word in push)
    assert not any("privileged" in word or "docker.sock" in word for word in build + push)


@pytest.mark.parametrize("network", ["none", "private", "host"])
@every_builder
def test_the_network(builder: BuildProgram, order: BuildRequest, network: Network) -> None:
    """The host's network is there only when the operator says so."""
    words = builder.build(replace(order, network=network))
    assert any("host" in word for word in words if "net" in word) == (network == "host")
    assert any("none" in word for word in words if "net" in word) == (network == "none")


@pytest.mark.skipif(os.geteuid() != 0, reason="cgroups are root's")
@pytest.mark.parametrize(
    "builder", [program for program in PROGRAMS if program.program != "buildctl"]
)
def test_the_limits(builder: BuildProgram, order: BuildRequest) -> None:
    """CPU and memory of a Dockerfile's steps are limited where the builder can."""
    words = builder.build(order)
    assert f"--memory={1 << 30}b" in words
    assert "--cpu-quota=150000" in words
    assert "--cpu-period=100000" in words


def test_plain_http_is_for_our_registry_alone(order: BuildRequest) -> None:
    """Base images come over TLS, unless the machine's registries.conf says otherwise."""
    for builder in PROGRAMS:
        assert not any("tls" in word or "insecure" in word for word in builder.build(order))


def test_the_operator_chooses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that is named is taken, else the first that is there, one without a daemon first."""
    for name in ("docker", "podman"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert choose("").program == "podman"
    assert choose("docker").program == "docker"
    with pytest.raises(Permanent, match="has to install buildctl") as caught:
        choose("buildctl")
    assert caught.value.category == "no_builder"
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Permanent, match="buildah, podman, buildctl or docker"):
        choose("")
