"""Every Space and every deployment file of the corpus, rendered and shown to a real API server."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from app.cli import main
from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.naming import names
from tests.support.documents import ROOT

CORPUS = ROOT.parent / "shared" / "corpus"

pytestmark = [
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"),
    pytest.mark.skipif(not CORPUS.exists(), reason="needs ../shared/corpus beside this folder"),
    pytest.mark.timeout(300),
]

TAB = "line 5, column 1: found a tab character that violates indentation"
NOT_YAML = {"qwen3-8B": TAB}


def files() -> list[Path]:
    """Return what the corpus holds: folders of Spaces, and single files."""
    spaces = [one for one in sorted((CORPUS / "spaces").glob("*")) if one.is_dir()]
    return spaces + sorted((CORPUS / "sdl").glob("*.y*ml"))


def refusal(path: Path) -> str:
    """Return why a file is refused, as read and agreed with; empty when it is not."""
    return NOT_YAML.get(path.name, "")


def test_the_corpus(
    cluster: Cluster, wallets: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API server takes all that is rendered; what is refused is refused for a known reason."""
    monkeypatch.setenv("CP_PATH", str(tmp_path))
    wallet = wallets()
    wrong = []
    for path in files():
        result = CliRunner().invoke(main, ["render", str(path), "--wallet", wallet])
        expected = refusal(path)
        if (result.exit_code, bool(expected)) not in {(0, False), (2, True)}:
            wrong.append(f"{path.name}: {result.exit_code} {result.stderr} {result.exception}")
        elif expected and expected not in result.stderr:
            wrong.append(f"{path.name}: {result.stderr}")
        elif not expected:
            wrong += shown(cluster, path.name, result.stdout)
    assert wrong == []


def shown(cluster: Cluster, name: str, text: str) -> list[str]:
    """Show manifests to the API server without keeping them; return what it refused."""
    wrong = []
    for manifest in yaml.safe_load_all(text):
        if manifest["kind"] == "Namespace":
            cluster.apply(url_paths.object_path(manifest), manifest)
            assert manifest["metadata"]["name"].startswith(names.namespace("0x"))
            continue
        try:
            cluster.apply(url_paths.object_path(manifest), manifest, dry_run=True)
        except Exception as error:  # noqa: BLE001 - every refusal is listed with its file.
            wrong.append(f"{name}: {manifest['kind']}: {error}")
    return wrong
