"""Property tests of the parser: files of any content."""

import yaml
from hypothesis import given
from hypothesis import strategies as st

from app.spaces import ldl
from app.spaces.ldl import hardware
from k8s.workload import Capabilities, Resources

WORDS = st.sampled_from(
    [
        "services",
        "web",
        "db",
        "image",
        "nginx",
        "expose",
        "port",
        "as",
        "to",
        "global",
        "true",
        "service",
        "ip",
        "accept",
        "env",
        "command",
        "args",
        "profiles",
        "compute",
        "resources",
        "cpu",
        "units",
        "memory",
        "size",
        "storage",
        "name",
        "data",
        "attributes",
        "persistent",
        "class",
        "ram",
        "gpu",
        "vendor",
        "nvidia",
        "model",
        "deployment",
        "lagrange",
        "count",
        "profile",
        "endpoints",
        "kind",
        "params",
        "mount",
        "/data",
        "depends-on",
        "ready-cmd",
        "config",
        "path",
        "models",
        "url",
        "dir",
        "sha256",
        "80",
        "1Gi",
        "0",
        "-1",
        "1e99",
        "x.example",
    ]
)
KEYS = WORDS | st.text(max_size=4)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)
SERVICE_KEYS = st.sampled_from(
    [
        "image",
        "command",
        "args",
        "env",
        "expose",
        "depends-on",
        "ready-cmd",
        "config",
        "models",
        "params",
        "credentials",
    ]
)
SERVICES = st.dictionaries(WORDS, st.dictionaries(SERVICE_KEYS, TREES, max_size=6), max_size=3)
FILES = st.fixed_dictionaries(
    {"services": SERVICES | TREES},
    optional={
        "version": TREES,
        "profiles": TREES,
        "deployment": TREES,
        "endpoints": TREES,
        "x": TREES,
    },
)


@given(FILES, st.booleans())
def test_no_structure_crashes(content: object, bounded: bool) -> None:  # noqa: FBT001 - hypothesis passes it by position.
    """Any YAML is read, or refused with a path and a one-line sentence."""
    order = hardware.parse("Nvidia A4000 · 4 vCPU · 32 GiB") if bounded else None
    _check(yaml.safe_dump(content, allow_unicode=True).encode(), order)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_crash(content: bytes) -> None:
    """Any bytes are read or refused."""
    _check(content, None)


def _check(content: bytes, order: Resources | None) -> None:
    try:
        deployment = ldl.read(
            content,
            hardware=order,
            capabilities=Capabilities(node_ports=True),
            host="abc.provider.example",
        )
    except ldl.InvalidDeployment as refused:
        problems = refused.problems
        assert problems
    else:
        problems = deployment.warnings
        assert deployment.components
    for problem in problems:
        assert problem.path
        assert str(problem).isprintable()
        assert len(str(problem)) < 2000
