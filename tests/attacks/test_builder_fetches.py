"""Dockerfiles that have a builder of the worker's machine fetch from the operator's network.

Tried, on a real buildah and a real server beside it: ADD of URLs, spelt out, in variables, in a
base image's environment, behind escapes and here-documents; ONBUILD, of the Dockerfile and of a
base; base images, `COPY --from` and mounts of registries inside. They fail because the builder gets
a Dockerfile that was written anew without such instructions, and bases by an inspected digest.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from app.errors import Permanent
from app.spaces.dockerfile import guarded
from app.spaces.image_registries import ImageRegistries
from app.spaces.images import (
    BuildContext,
    BuildLimits,
    BuildRequest,
    ProgramBuilder,
    Registry,
    base_images,
)
from app.spaces.images.buildah import Containers
from tests.support.fake_registry import Answer, FakeRegistry, serving

buildah = pytest.mark.skipif(not shutil.which("buildah"), reason="needs buildah")


@dataclass
class Builder:
    """A builder beside a server of the operator's, which is a registry too."""

    server: FakeRegistry
    order: BuildRequest

    def build(self, dockerfile: str) -> None:
        """Build a Dockerfile, pushing included."""
        (self.order.context.folder / "Dockerfile").write_text(dockerfile)
        ProgramBuilder(Containers("buildah")).build(
            self.order, check=lambda: None, tell=lambda _: None, pushing=lambda: None
        )

    def refusal(self, dockerfile: str) -> str:
        """Return why a Dockerfile is refused before it is built."""
        with pytest.raises(Permanent) as caught:
            self.build(dockerfile.replace("{url}", self.server.url))
        assert caught.value.category == "build_refused"
        return caught.value.message


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[Builder]:
    """A builder with the network of steps as operators have it by default."""
    folder, context = tmp_path / "build", tmp_path / "files"
    folder.mkdir()
    context.mkdir()
    (context / "page.html").write_text("a page")
    with serving() as server:
        server.answer = lambda _path, _authorization: (200, {}, b"internal secret")
        registry = Registry(host=server.host, plain_http=True, user="operator", password="hunter2")
        yield Builder(
            server,
            BuildRequest(
                image=f"{registry.place}/lagrange/space:digest",
                context=BuildContext(context, "Dockerfile", "digest"),
                folder=folder,
                cgroup="computing-provider-test",
                registry=registry,
                limits=BuildLimits(seconds=60, memory_bytes=1 << 30, cores=1, disk_bytes=1 << 28),
                storage_driver="vfs",
                registries=ImageRegistries(own=server.host),
            ),
        )


FETCHING = [
    "FROM scratch\nADD {url}/internal-secret /stolen\n",
    "FROM scratch\nADD page.html {url}/internal-secret /stolen/\n",
    "FROM scratch\nARG U={url}/x\nADD $U /stolen\n",
    "FROM scratch\nENV U={url}/x\nADD ${U} /stolen\n",
    "FROM scratch\nADD $FROM_THE_BASE /stolen\n",
    'FROM scratch\nADD ["{url}/x", "/stolen"]\n',
    'FROM scratch\nADD ["http\\u003a//127.0.0.1/x", "/stolen"]\n',
    "FROM scratch\nADD ht\\tp://127.0.0.1/x /stolen\n",
    "FROM scratch\nADD h\\\nttp://127.0.0.1/x /stolen\n",
    "FROM scratch\nADD git@127.0.0.1:a/b.git /stolen\n",
    "FROM scratch\nADD github.com/a/b /stolen\n",
    "FROM scratch\nADD --chown=1 {url}/x /stolen\n",
    "FROM scratch\nADD --checksum=sha256:00 {url}/x /stolen\n",
    "FROM scratch\nONBUILD ADD {url}/x /stolen\n",
    "FROM scratch\nonbuild run true\n",
    "FROM scratch\nRUN <<EOF\nADD {url}/x /stolen\nEOF\n",
    "FROM scratch\nCOPY <<EOF /x\nFROM evil\nEOF\n",
    "FROM scratch\nADD\u00a0{url}/x /stolen\n",
    "# escape=`\nFROM scratch\nADD htt`\np://127.0.0.1/x /stolen\n",
]
INWARD = [
    "FROM 127.0.0.1:6443/a/b\n",
    "FROM 10.0.0.5/a/b\n",
    "FROM localhost/a/b\n",
    "FROM redis:6379/a/b\n",
    "ARG R=169.254.169.254\nFROM $R/a/b\n",
    "FROM evil.example.com/a/b\n",
    "FROM scratch\nCOPY --from=127.0.0.1:6443/a/b /x /x\n",
    "FROM scratch\nCOPY --from=$R /x /x\n",
    "FROM scratch\nRUN --mount=type=bind,from=127.0.0.1:6443/a/b,target=/x true\n",
    "FROM scratch\nRUN --mount=type=bind,FROM=10.0.0.5/a/b,target=/x true\n",
    'FROM scratch\nRUN --mount="type=bind,from=10.0.0.5/a/b" true\n',
    "FROM scratch\nRUN --network=host wget 127.0.0.1\n",
    "FROM scratch\nRUN --net\\work=host wget 127.0.0.1\n",
    "FROM dir:/etc\n",
    "FROM oci-archive:/etc/x\n",
    "FROM $UNSET\n",
]


@buildah
@pytest.mark.parametrize("dockerfile", [*FETCHING, *INWARD])
def test_nothing_is_fetched(builder: Builder, dockerfile: str) -> None:
    """The line is named, and the server beside the builder is never asked."""
    assert builder.refusal(dockerfile).startswith("line ")
    assert builder.server.asked == []


@buildah
def test_buildah_would_fetch(builder: Builder) -> None:
    """Without the guard, as for the operator's own Dockerfiles, the same ADD is fetched."""
    builder.order = replace(builder.order, registries=None)
    with pytest.raises(Permanent) as caught:
        builder.build(f"FROM scratch\nADD {builder.server.url}/internal-secret /stolen\n")
    assert caught.value.category == "push_refused"
    assert builder.server.asked[0][0] == "/internal-secret"


@buildah
def test_honest_files_are_built(builder: Builder) -> None:
    """Files, stages and variables of targets remain; only the push speaks to the registry."""
    with pytest.raises(Permanent) as caught:
        builder.build(
            "ARG BASE=scratch\nFROM $BASE AS Files\nENV HOME=/home\nADD page.html $HOME/\n"
            "COPY page.html \\\n  # a comment\n  /page.html\n"
            "FROM scratch\nCOPY --from=FILES /page.html /\n"
            'CMD ["/bin/sh", "-c", "echo \\"$HOME\\""]\n'
        )
    assert caught.value.category == "push_refused"
    assert all(path.startswith("/v2/") for path, _ in builder.server.asked)


def blob(content: object) -> tuple[str, bytes]:
    """Return a document and its digest."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return f"sha256:{hashlib.sha256(body).hexdigest()}", body


def base(server: FakeRegistry, config: object, *, manifest: bytes = b"") -> str:
    """Put a base image into the registry, and return its digest."""
    config_digest, config_body = blob(config)
    digest, body = blob(manifest or {"schemaVersion": 2, "config": {"digest": config_digest}})
    answers: dict[str, Answer] = {
        "/v2/team/base/manifests/1": (200, {}, body),
        f"/v2/team/base/blobs/{config_digest}": (200, {}, config_body),
    }
    server.answer = lambda path, _authorization: answers.get(path, (404, {}, b""))
    return digest


@buildah
@pytest.mark.parametrize(
    "config",
    [
        {"config": {"OnBuild": ["ADD http://127.0.0.1/x /stolen"]}},
        {"config": {"onbuild": ["ADD http://127.0.0.1/x /stolen"]}},
        {"Config": {"ONBUILD": ["ADD http://127.0.0.1/x /stolen"]}},
        b'{"config": {"OnBuild": ["RUN x"]}, "config": {}}',
        b'{"config": {"OnBuild": ["RUN x"], "onbuild": []}}',
        b"[" * 100_000,
    ],
)
def test_triggers_of_a_base(builder: Builder, config: object) -> None:
    """The base is inspected without credentials, however its triggers are spelt."""
    base(builder.server, config)
    message = builder.refusal(f"FROM {builder.server.host}/team/base:1\n")
    assert message.startswith("line 1: FROM ")
    assert {authorization for _, authorization in builder.server.asked} == {""}


@pytest.mark.parametrize(
    "manifest",
    [
        b'{"config": {"digest": "sha256:%s"}, "Config": {"digest": "sha256:%s"}}',
        b'{"config": {"digest": "sha256:%s"}, "config": {"digest": "sha256:%s"}}',
        b'{"config": {"digest": "../../x"}}',
        b'{"manifests": {}}',
        b"[]",
        b"internal secret",
    ],
)
def test_manifests_that_read_two_ways(builder: Builder, manifest: bytes) -> None:
    """A builder could take another configuration from them than the one that was inspected."""
    first_filled = manifest.replace(b"%s", b"0" * 64, 1)
    base(builder.server, {}, manifest=first_filled.replace(b"%s", b"1" * 64))
    builder.refusal(f"FROM {builder.server.host}/team/base:1\n")


def test_a_base_that_is_what_it_says(builder: Builder) -> None:
    """The digest is that of the manifest of this machine's platform."""
    digest = base(builder.server, {"config": {"Env": ["A=b"], "OnBuild": None}})
    image = f"{builder.server.host}/team/base"
    own, registries = builder.order.registry, ImageRegistries()
    assert base_images.pin(f"{image}:1", "", own=own, registries=registries) == f"{image}@{digest}"
    with pytest.raises(ValueError, match="cannot be found in its registry"):
        base_images.pin(f"{image}:2", "", own=own, registries=registries)


def test_a_base_by_its_digest() -> None:
    """The builder gets what was inspected, with its registry, whatever the tag becomes."""

    def pin(image: str, _platform: str) -> str:
        return f"{image.partition(':')[0]}@sha256:{'0' * 64}"

    text = guarded.rewrite(
        b"# syntax=evil/frontend\nFROM --platform=$BUILDPLATFORM python:3 AS Build\n"
        b"COPY --from=busybox:1 /bin/sh /\nFROM build\n",
        registries=ImageRegistries().of_host_builders(),
        is_host_network=False,
        pin=pin,
    )
    assert text == (
        f"FROM docker.io/library/python@sha256:{'0' * 64} AS build\n"
        "COPY --from=docker.io/library/busybox:1 /bin/sh /\nFROM build\n"
    )
