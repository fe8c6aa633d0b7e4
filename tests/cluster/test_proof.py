"""Proofs on a real cluster: they run within their bounds, and nothing of them stays."""

import json
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.demo.fake_lagrange import signed_requests
from app.store import redis_keys
from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.jobs import proof
from k8s.jobs.proof import Outcome, ProofJob
from k8s.policy.violation import Violation
from tests.support.documents import ROOT
from tests.support.provider import running
from tests.support.workloads import IMAGE, eventually

pytestmark = pytest.mark.skipif(
    not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"
)
TEMPLATE = ROOT / "k8s" / "templates" / "proof-job.yaml"
WORDS = 'a"$(METHOD)$$'
COMMAND = "          imagePullPolicy: IfNotPresent\n"


@pytest.fixture
def order(cluster: Cluster) -> Iterator[ProofJob]:
    """A proof that nobody has ordered; it is removed."""
    one = ProofJob(id=secrets.token_hex(16), image=IMAGE, method="mine", block_data=WORDS, exp=9)
    yield one
    proof.remove(cluster, one.id)


def overriding(folder: Path, script: str) -> Path:
    """Return a folder with the product's template, which runs a script in a small image."""
    command = f'          command: [sh, -c, "{script}"]\n'
    text = TEMPLATE.read_text().replace(COMMAND, COMMAND + command).replace("1Gi", "64Mi")
    (folder / "proof-job.yaml").write_text(text.replace('cpu: "1"', "cpu: 50m"))
    return folder


def ended(cluster: Cluster, order: ProofJob) -> Outcome:
    """Wait for a proof's end."""
    return eventually(lambda: proof.look(cluster, order.id), "the proof to end")


def left(cluster: Cluster, order: ProofJob) -> list[str]:
    """Return what is left of a proof."""
    found = []
    for kind in ("Job", "Pod"):
        path = url_paths.collection(kind, proof.NAMESPACE)
        found += cluster.list(path, selector=f"{proof.PROOF}={order.id}")
    return [one["metadata"]["name"] for one in found]


def test_a_proof_runs_and_goes(cluster: Cluster, order: ProofJob, tmp_path: Path) -> None:
    """Its log is what it wrote, its words are values and nothing else; then it is gone."""
    script = "id -u; echo $METHOD; echo $BLOCK_DATA; echo $EXP; test -e /var/run/secrets || echo -"
    folder = overriding(tmp_path, script)
    proof.start(cluster, order, overrides=folder)
    proof.start(cluster, order, overrides=folder)
    outcome = ended(cluster, order)
    assert outcome.succeeded, outcome
    assert outcome.log.splitlines() == ["65532", "mine", WORDS, "9", "-"]
    namespace = cluster.get(f"/api/v1/namespaces/{proof.NAMESPACE}")["metadata"]["labels"]
    assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"
    proof.remove(cluster, order.id)
    eventually(lambda: not left(cluster, order) or None, "everything gone")


@pytest.mark.timeout(240)
def test_an_order_is_answered_with_its_log(cluster: Cluster, tmp_path: Path) -> None:
    """From a signed order through a worker to the log in the answer; nothing of it stays."""
    folder = tmp_path / "provider"
    (folder / "templates").mkdir(parents=True)
    overriding(folder / "templates", "echo $METHOD $BLOCK_DATA $EXP")
    with running(folder, Kubeconfig=os.environ["KUBECONFIG"], ProofImage=IMAGE) as provider:
        request = signed_requests.prove(provider.lagrange.signer, "some words", 250)
        answer = provider.lagrange.send(provider.url, request)
        assert answer.status == 200, answer.body
        told = json.loads(answer.body)
        assert told["data"] == "mine some words 250\n"
        again = provider.lagrange.send(provider.url, request)
        assert again.body == answer.body
        named = [
            key.decode().rpartition(":")[2]
            for key in provider.context.redis.scan_iter(redis_keys.proof("*"))
        ]
        (proof_id,) = named
        order = ProofJob(id=proof_id, image="", method="", block_data="", exp=0)
        eventually(lambda: not left(cluster, order) or None, "everything gone")


def test_a_proof_that_fails(cluster: Cluster, order: ProofJob, tmp_path: Path) -> None:
    """A container that fails is a failure, told with its log; it is not run again."""
    proof.start(cluster, order, overrides=overriding(tmp_path, "echo broken; exit 3"))
    outcome = ended(cluster, order)
    assert (outcome.succeeded, outcome.log) == (False, "broken\n")
    assert outcome.message


def test_a_proof_that_does_not_end(cluster: Cluster, order: ProofJob, tmp_path: Path) -> None:
    """The cluster ends it at its deadline, whoever looks or not."""
    folder = overriding(tmp_path, "sleep 600")
    file = folder / "proof-job.yaml"
    file.write_text(file.read_text().replace("${seconds}", "3"))
    proof.start(cluster, order, overrides=folder)
    outcome = ended(cluster, order)
    assert not outcome.succeeded
    assert "deadline" in outcome.message


def test_proofs_that_nobody_removed(cluster: Cluster, order: ProofJob, tmp_path: Path) -> None:
    """Orphaned proofs are removed after a while, and not before."""
    proof.start(cluster, order, overrides=overriding(tmp_path, "sleep 600"))
    proof.remove_old(cluster)
    assert left(cluster, order)
    proof.remove_old(cluster, now=datetime.now(UTC) + timedelta(minutes=16))
    eventually(lambda: not left(cluster, order) or None, "everything gone")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("activeDeadlineSeconds: ${seconds}", "activeDeadlineSeconds: 9999"),
        ("backoffLimit: 0", "backoffLimit: 0\n  parallelism: 9"),
        ("allowPrivilegeEscalation: false", "privileged: true"),
        ("namespace: ${namespace}", "namespace: default"),
        ("enableServiceLinks: false", "enableServiceLinks: false\n      hostNetwork: true"),
    ],
)
def test_templates_that_weaken(
    cluster: Cluster, order: ProofJob, tmp_path: Path, old: str, new: str
) -> None:
    """An operator's template neither widens a proof's bounds nor opens a door."""
    text = TEMPLATE.read_text()
    assert old in text
    (tmp_path / "proof-job.yaml").write_text(text.replace(old, new))
    with pytest.raises(Violation):
        proof.start(cluster, order, overrides=tmp_path)
    assert left(cluster, order) == []
