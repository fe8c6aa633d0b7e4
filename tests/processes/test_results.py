"""Results of real processes: uploaded while the job runs, and when the storage comes back."""

from pathlib import Path

from tests.support.fake_storage import API_KEY, Storage
from tests.support.provider import running
from tests.support.simulated_cluster import SimulatedCluster
from tests.support.waiting import eventually


def test_a_result_is_uploaded_while_the_job_runs(
    tmp_path: Path, cluster: SimulatedCluster, space: Path
) -> None:
    """The job runs, its result is uploaded, Lagrange is told, and later answers say where it is."""
    with Storage() as storage:
        mcs = {"ApiKey": API_KEY, "BucketName": "results", "ServerUrl": storage.url}
        kubeconfig = str(cluster.kubeconfig)
        with running(tmp_path / "provider", mcs=mcs, Kubeconfig=kubeconfig) as provider:
            job = provider.assign(space)
            provider.lagrange.wait_for(job.uuid, "uploadResult", timeout_seconds=40)
            assert provider.statuses(job) == [
                "downloadSource",
                "deployToK8s",
                "running",
                "uploadResult",
            ]
            url = provider.task(job).result_url
            assert url.startswith("https://gateway.example.com/ipfs/")
            answer = provider.lagrange.read_status(provider.url, job)
            assert url in answer.body.decode()
            assert provider.terminate(job).status == 202
            provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=30)


def test_a_job_runs_without_the_storage(
    tmp_path: Path, cluster: SimulatedCluster, space: Path
) -> None:
    """A storage that is away keeps no job from running."""
    mcs = {"ApiKey": API_KEY, "BucketName": "results", "ServerUrl": "http://127.0.0.1:9"}
    with running(tmp_path / "provider", mcs=mcs, Kubeconfig=str(cluster.kubeconfig)) as provider:
        job = provider.assign(space)
        provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=40)
        key = "cp:uploads:paused"
        eventually("the storage is left alone", lambda: provider.context.redis.exists(key))
        assert provider.task(job).state == "running"
        assert provider.statuses(job)[-1] == "running"
