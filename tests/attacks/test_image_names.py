"""Image names that lead a node into the operator's network.

Tried: registries by address in every spelling, `localhost`, names of the cluster and of private
suffixes, ports of other services; and the container runtime's words for a failed pull, which tell
closed ports, TLS and foreign certificates apart. They fail because a name has to be one of the
public internet on port 443, or the operator's choice, and because a failed pull is described in
sentences of our own.
"""

from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import main
from app.config import Config
from app.errors import Permanent
from app.spaces import dockerfile, ldl
from app.spaces.image_registries import PUBLIC, ImageRegistries
from app.tasks.steps import build
from k8s.api.objects import Waiting
from k8s.health import pull_failures
from k8s.workload import Capabilities

INWARD = [
    "169.254.169.254/latest/meta-data",
    "127.0.0.1:5000/x",
    "127.1/x",
    "0x7f.0.0.1/x",
    "0177.0.0.1/x",
    "2130706433:443/x",
    "0x7f000001:443/x",
    "10.0.0.1:5000/team/x:tag",
    "8.8.8.8/x",
    "[::1]:443/x",
    "[::ffff:127.0.0.1]/x",
    "[fd00::1]:5000/x",
    "localhost/x",
    "localhost:2379/health",
    "LOCALHOST/x",
    "LocalHost:443/x",
    "app.localhost/x",
    "redis:6379/x",
    "node1:10250/pods",
    "Node1/pods",
    "kubernetes.default.svc/x",
    "kubernetes.default.svc.cluster.local/x",
    "metadata.google.internal/computeMetadata/v1",
    "printer.lan/x",
    "vault.corp/x",
    "registry.example.com:5000/x",
    "registry.example.com:80/x",
    "registry.example.com:6379/x",
    "a..b/x",
    "-a.example.com/x",
]


def refusals(image: str, registries: ImageRegistries = PUBLIC) -> list[str]:
    """Return the problems of a deployment file with this image."""
    text = f'version: "2.0"\nservices: {{web: {{image: "{image}"}}}}\n'
    try:
        ldl.read(
            text.encode(),
            hardware=None,
            capabilities=Capabilities(),
            host="a.example.com",
            registries=registries,
        )
    except ldl.InvalidDeployment as invalid:
        return [str(problem) for problem in invalid.problems]
    return []


@pytest.mark.parametrize("image", INWARD)
def test_names_that_lead_inward(image: str) -> None:
    """Each is refused with its field."""
    [refusal] = refusals(image)
    assert refusal.startswith("services.web.image: ")


def test_the_refusal_has_a_remedy() -> None:
    """Its author is told where to put the image."""
    [refusal] = refusals("localhost:2379/health")
    assert refusal.endswith("push the image to a public registry")


@pytest.mark.parametrize(
    "image",
    [
        "nginx",
        "team/app:1",
        "docker.io/x",
        "ghcr.io/a/b",
        "quay.io:443/x",
        "r.example.com/a/b@sha256:" + "0" * 64,
    ],
)
def test_public_registries(image: str) -> None:
    """Public names on the port of HTTPS remain."""
    assert refusals(image) == []


def test_the_operators_own_registry() -> None:
    """[Registry] is allowed wherever it is, and no other port of its host."""
    own = ImageRegistries(own="10.0.0.1:5000")
    assert refusals("10.0.0.1:5000/team/x", own) == []
    assert refusals("10.0.0.1:6379/team/x", own)


def test_a_list_allows_nothing_else() -> None:
    """Docker Hub is on it by its name, in each of its spellings."""
    registries = ImageRegistries(own="r.example.com", listed=("docker.io", "Mirror:5000"))
    for image in ("nginx", "a/b", "index.docker.io/a/b", "mirror:5000/x", "r.example.com/x"):
        assert refusals(image, registries) == []
    [refusal] = refusals("ghcr.io/a/b", registries)
    assert "docker.io, mirror:5000, r.example.com" in refusal


def test_the_list_of_the_configuration(tmp_path: Path) -> None:
    """`render` reads [CLUSTER] ImageRegistries as a worker does."""
    (tmp_path / "config.toml").write_text('[CLUSTER]\nImageRegistries = ["ghcr.io"]\n')
    file = tmp_path / "deploy.yaml"
    file.write_text('version: "2.0"\nservices: {web: {image: nginx}}\n')
    result = CliRunner().invoke(main, ["--cp-repo", str(tmp_path), "render", str(file)])
    assert result.exit_code == 2
    assert "must come from a registry that this provider allows: ghcr.io" in result.stderr


@pytest.mark.parametrize(
    "step",
    [
        "FROM {image}",
        "ARG R={image}\nFROM $R",
        "FROM a\nCOPY --from={image} /x /x",
        "FROM a\nRUN --mount=type=bind,from={image},target=/x true",
    ],
)
@pytest.mark.parametrize("image", ["127.0.0.1:5000/x", "localhost:2379/x", "redis:6379/x"])
def test_dockerfiles(step: str, image: str) -> None:
    """Every builder, the Job's too, is given no Dockerfile with such a name; its line is told."""
    file = dockerfile.read(f"{step.format(image=image)}\nEXPOSE 80\n".encode())
    with pytest.raises(
        Permanent, match=r"^line [12] of the Dockerfile: the image must not"
    ) as caught:
        build._refuse_fetches(file, Config())
    assert caught.value.category == "build_refused"


def test_stages_are_no_images() -> None:
    """Names and numbers of stages are not looked up anywhere."""
    text = b"FROM scratch AS a\nFROM a\nCOPY --from=A /x /x\nCOPY --from=0 /y /y\n"
    assert dockerfile.read(text).images == ()


_PREFIX = (
    'failed to pull and unpack image "a.example/x:1": failed to resolve reference "a.example/x:1": '
)


@pytest.mark.parametrize(
    "text",
    [
        "failed to do request: dial tcp 10.0.0.5:2379: connect: connection refused",
        "failed to do request: dial tcp 10.0.0.5:2379: i/o timeout",
        "tls: failed to verify certificate: x509: certificate is valid for vault.corp, not a",
        "http: server gave HTTP response to HTTPS client",
        "lookup a.example on 10.96.0.10:53: no such host",
        "unexpected status from HEAD request to https://10.0.0.5/v2/x: 503 Service Unavailable",
    ],
)
def test_no_way_to_scan(text: str) -> None:
    """Closed ports, foreign certificates and plain HTTP read the same, without an address."""
    waiting = Waiting(reason="ErrImagePull", message=_PREFIX + text)
    assert pull_failures.describe(waiting) == "the registry cannot be reached"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a.example/x:1: not found", "not found"),
        (
            "pull access denied, repository does not exist or may require authorization",
            "does not exist, or needs a password",
        ),
        ("failed to authorize: unexpected status 401 Unauthorized", "needs a password"),
        ("429 Too Many Requests - Server message: toomanyrequests: 10.0.0.9", "limits pulls"),
        ("write /var/lib/containerd/x: no space left on device", "too large"),
        ("no match for platform in manifest: not found", "node's CPU"),
        ("never seen at 10.0.0.9", "ask the provider's operator"),
    ],
)
def test_reasons_stay_of_use(text: str, words: str) -> None:
    """The owner learns what can be mended, and no path or address of the node."""
    sentence = pull_failures.describe(Waiting(reason="ErrImagePull", message=_PREFIX + text))
    assert words in sentence
    assert "10.0.0.9" not in sentence
    assert "/var" not in sentence
