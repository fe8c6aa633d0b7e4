"""Tests of the parser with real deployment files."""

import pytest

from app.spaces import ldl
from k8s.workload import Capabilities
from tests.support.documents import ROOT

CORPUS = ROOT.parent / "shared" / "corpus"
REFUSED = {
    "spaces/qwen3-8B/deploy.yaml": (
        "line 5, column 1: found a tab character that violates indentation; "
        "indent with spaces, not tabs"
    ),
}


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"needs the real files in {CORPUS}")
def test_exactly_the_broken_files_are_refused() -> None:
    """Every real file but the broken ones is accepted if the provider offers everything."""
    capabilities = Capabilities(
        node_ports=True, load_balancers=True, storage_classes={"*": "standard"}
    )
    paths = sorted([*CORPUS.glob("sdl/*.y*ml"), *CORPUS.glob("spaces/*/deploy.y*ml")])
    refused: dict[str, str] = {}
    for path in paths:
        try:
            deployment = ldl.read(
                path.read_bytes(),
                hardware=None,
                capabilities=capabilities,
                host="abc.provider.example",
            )
        except ldl.InvalidDeployment as error:
            refused[str(path.relative_to(CORPUS))] = str(error.problems[0])
        else:
            assert deployment.components
    assert len(paths) > 100
    assert refused == REFUSED
