"""Tests of `render` for a Space that serves a model."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from app.cli import main
from tests.support import fake_hub


def render(folder: Path, monkeypatch: pytest.MonkeyPatch, model_id: str) -> Result:
    """Render a Space that names a model, for a provider without a registry."""
    space = folder / "space"
    space.mkdir()
    (space / "model-setting.json").write_text(json.dumps({"model_id": model_id}))
    monkeypatch.setenv("CP_PATH", str(folder))
    return CliRunner().invoke(
        main, ["render", str(space), "--hardware", "CPU only · 2 vCPU · 4 GiB"]
    )


def test_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub is asked; the image is named by its tag, and the cache is bounded."""
    monkeypatch.setenv("CP_INFERENCE_CACHEBYTES", str(1 << 30))
    with fake_hub.serving() as hub:
        hub.models["a/b"] = {"library_name": "timm", "pipeline_tag": "image-classification"}
        monkeypatch.setenv("CP_INFERENCE_SERVERURL", hub.url)
        result = render(tmp_path, monkeypatch, "a/b")
    assert result.exit_code == 0, result.stderr
    [deployment] = [
        manifest
        for manifest in yaml.safe_load_all(result.stdout)
        if manifest["kind"] == "Deployment"
    ]
    pod = deployment["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "lagrange/timm:v1.0"
    assert pod["volumes"] == [{"name": "volume-cache", "emptyDir": {"sizeLimit": str(1 << 30)}}]


@pytest.mark.parametrize(
    ("model_id", "words"),
    [
        ("a b", "model-setting.json: model_id: must be the id of a model on Hugging Face"),
        ("a/b", "http://127.0.0.1:1/api/models/a/b cannot be read: it cannot be connected to"),
    ],
)
def test_refusals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_id: str, words: str
) -> None:
    """An invalid id and an unreachable hub are one line each."""
    monkeypatch.setenv("CP_INFERENCE_SERVERURL", "http://127.0.0.1:1")
    result = render(tmp_path, monkeypatch, model_id)
    assert result.exit_code == 2
    assert words in result.stderr
