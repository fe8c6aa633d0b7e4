"""Spaces that serve a model, on a real cluster: from the installation of what serves it to its URL.

The sources are a stand-in for the api-inference-community repository, and so is the hub.
"""

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import main
from app.demo.fake_lagrange import Job
from app.spaces.images.detect import PROGRAMS
from k8s.api import url_paths
from k8s.naming import labels, names
from tests.support import fake_hub, ingress
from tests.support.fake_hub import Hub
from tests.support.provider import Provider, running
from tests.support.waiting import eventually

HARDWARE = "CPU only · 0.1 vCPU · 64 MiB"
BUSYBOX = Path("/bin/busybox")
REGISTRY = os.environ.get("CLUSTER_REGISTRY", "")
IMAGE = f"{REGISTRY}/lagrange/transformers:v1.0"
DOCKERFILE = """
FROM scratch
COPY busybox /bin/busybox
COPY page.html /www/
CMD ["/bin/busybox", "sh", "-c", "trap exit TERM; busybox httpd -f -p 80 -h /www & wait"]
"""
TOKEN = "hf_of-the-operator"

pytestmark = [
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"),
    pytest.mark.skipif(not REGISTRY, reason="CLUSTER_REGISTRY has to name the cluster's registry"),
    pytest.mark.skipif(
        not any(shutil.which(one.program) for one in PROGRAMS if one.runs_steps),
        reason="needs buildah or podman",
    ),
    pytest.mark.skipif(not BUSYBOX.exists(), reason="needs a static busybox at /bin/busybox"),
    pytest.mark.usefixtures("ingress_controller"),
    pytest.mark.timeout(120),
]


@pytest.fixture(scope="module")
def market() -> Iterator[Hub]:
    """A hub with one model that can be served, and one that cannot."""
    with fake_hub.serving() as found:
        found.models["openai/whisper-tiny"] = {
            "library_name": "transformers",
            "pipeline_tag": "automatic-speech-recognition",
        }
        found.models["somebody/diffuser"] = {
            "library_name": "diffusers",
            "pipeline_tag": "text-to-image",
        }
        found.models["somebody/mlx"] = {"library_name": "mlx", "pipeline_tag": "text-generation"}
        yield found


@pytest.fixture(scope="module")
def provider(market: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider for the cluster that KUBECONFIG names."""
    folder = tmp_path_factory.mktemp("provider") / "folder"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CP_REGISTRY_SERVERADDRESS", f"http://{REGISTRY}")
        patch.setenv("CP_BUILD_NETWORK", "none")
        patch.setenv("CP_INFERENCE_SERVERURL", market.url)
        patch.setenv("CP_INFERENCE_ACCESSTOKEN", TOKEN)
        patch.setenv("CP_INFERENCE_CACHEBYTES", str(64 << 20))
        with running(folder, Kubeconfig=os.environ["KUBECONFIG"]) as found:
            yield found


def assign(provider: Provider, tmp_path: Path, wallet: str, model_id: str) -> Job:
    """Have Lagrange assign a Space that serves a model."""
    folder = tmp_path / "My Model"
    folder.mkdir()
    (folder / "model-setting.json").write_text(json.dumps({"model_id": model_id}))
    space_uuid = provider.lagrange.add_space(folder, wallet=wallet, hardware=HARDWARE)
    job = provider.lagrange.job(space_uuid, 900)
    assert provider.lagrange.assign(provider.url, job).status == 202
    return job


def sources(folder: Path) -> str:
    """Make what the repository has of one framework; return the page that its image serves."""
    page = f"a model answers {uuid.uuid4()}"
    place = folder / "docker_images" / "transformers"
    place.mkdir(parents=True)
    shutil.copy(BUSYBOX, place / "busybox")
    (place / "page.html").write_text(page)
    (place / "Dockerfile").write_text(DOCKERFILE)
    return page


def install(*arguments: str) -> list[str]:
    """Install frameworks as the operator does; return what was printed."""
    result = CliRunner().invoke(main, ["inference", "install", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_a_model_is_served(
    provider: Provider, wallet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Task and framework come from the hub; the pod knows them, and its URL answers."""
    monkeypatch.setenv("CP_PATH", str(provider.folder))
    page = sources(provider.folder / "inference-model")
    [line] = install("transformers", "--again")
    assert line.startswith(f"{IMAGE} built and pushed (sha256:")
    [again] = install("transformers")
    assert again == line.replace("built and pushed", "is already there")
    job = assign(provider, tmp_path, wallet, "openai/whisper-tiny")
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=60)
    assert provider.statuses(job) == ["downloadSource", "deployToK8s", "running"]
    cluster, task = provider.context.cluster, provider.task(job)
    path = url_paths.collection("Pod", names.namespace(wallet))
    [pod] = cluster.list(path, selector=labels.task_selector(job.uuid))
    [container] = pod["spec"]["containers"]
    assert container["image"] == f"{IMAGE}@{line.rpartition('(')[2].rstrip(')')}"
    environment = {one["name"]: one.get("value", "") for one in container["env"]}
    assert environment["TASK"] == "automatic-speech-recognition"
    assert environment["MODEL_ID"] == "openai/whisper-tiny"
    assert environment["HUGGINGFACE_HUB_CACHE"] == "/data"
    assert environment["result_url"] == task.host
    assert TOKEN not in json.dumps(pod)
    [volume] = [one for one in pod["spec"]["volumes"] if "emptyDir" in one]
    assert volume["emptyDir"]["sizeLimit"] in {"64Mi", str(64 << 20)}

    answered = ingress.answer_of(provider, job.uuid, names.namespace(wallet), "/page.html")
    assert answered == page
    assert provider.terminate(job).status == 202
    provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=60)
    assert provider.remains(job.uuid, wallet=wallet) == []


def test_an_unknown_framework_is_refused(
    provider: Provider, market: Hub, wallet: str, tmp_path: Path
) -> None:
    """The callback says what the model is for and what is served here, once the hub is there."""
    path = "/api/models/somebody/mlx"
    market.answers[path] = 503, {"Retry-After": "1"}, b""
    market.asked.clear()
    job = assign(provider, tmp_path, wallet, "somebody/mlx")
    eventually("the hub is asked", lambda: market.asked)
    del market.answers[path]
    failed = provider.lagrange.wait_for(job.uuid, "failed", timeout_seconds=30)
    reason = failed.body["reason"]
    assert market.asked == [(path, f"Bearer {TOKEN}")] * 2
    assert reason.startswith("model_refused: the model somebody/mlx is for mlx; ")
    assert "sentence_transformers" in reason
    assert provider.remains(job.uuid, wallet=wallet) == []


def test_what_is_not_installed_is_refused(provider: Provider, wallet: str, tmp_path: Path) -> None:
    """The callback tells what the operator has to do."""
    job = assign(provider, tmp_path, wallet, "somebody/diffuser")
    failed = provider.lagrange.wait_for(job.uuid, "failed", timeout_seconds=30)
    reason = failed.body["reason"]
    assert reason.startswith("framework_missing: ")
    assert reason.endswith("`computing-provider inference install diffusers`")
