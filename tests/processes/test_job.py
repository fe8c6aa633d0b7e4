"""One job from its webhook to its end, on real processes and the simulated cluster."""

from pathlib import Path

from tests.support.provider import Provider
from tests.support.waiting import eventually


def test_a_job_runs_and_ends(provider: Provider, space: Path) -> None:
    """A job comes up, is reported step by step, is renewed, ends, and leaves nothing."""
    job = provider.assign(space)
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=30)
    before = provider.task(job).expires_at
    assert provider.lagrange.renew(provider.url, job, 600).status == 202
    after = provider.task(job).expires_at
    assert before is not None
    assert after == before + 600
    assert provider.terminate(job).status == 202
    provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=30)
    assert provider.statuses(job) == ["downloadSource", "deployToK8s", "running", "terminated"]
    assert provider.remains(job.uuid) == []


def test_an_image_that_does_not_exist_is_reported_as_such(provider: Provider, space: Path) -> None:
    """A failing image is told with its name, and again when it recovers by a redeploy."""
    file = space / "deploy.yaml"
    good = file.read_text()
    file.write_text(good.replace("node:22", "node:does-not-exist"))
    job = provider.assign(space)
    failed = provider.lagrange.wait_for(job.uuid, "failed", timeout_seconds=40)
    assert failed.body["reason"].startswith("image_pull: ")
    assert "node:does-not-exist" in failed.body["reason"]
    file.write_text(good)
    assert provider.lagrange.redeploy(provider.url, job).status == 202
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=40)


def test_a_failing_redeploy_leaves_the_old_version_serving(provider: Provider, space: Path) -> None:
    """A running task runs on when its new version cannot, and keeps its host name."""
    job = provider.assign(space)
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=30)
    before = provider.task(job)
    file = space / "deploy.yaml"
    file.write_text(file.read_text().replace("node:22", "node:does-not-exist"))
    assert provider.lagrange.redeploy(provider.url, job).status == 202
    provider.lagrange.wait_for(job.uuid, "failed", timeout_seconds=40)
    eventually("the old version is back", lambda: provider.task(job).state == "running")
    after = provider.task(job)
    assert (after.revision, after.host, after.ended) == (1, before.host, False)
    eventually("both are told", lambda: provider.statuses(job)[-2:] == ["failed", "running"])


def test_a_new_job_takes_the_place_of_the_old_one(provider: Provider, space: Path) -> None:
    """The old job of a Space serves until the new one does, then ends as replaced."""
    old = provider.assign(space)
    provider.lagrange.wait_for(old.uuid, "running", timeout_seconds=30)
    new = provider.lagrange.job(old.space_uuid, 900)
    assert provider.lagrange.assign(provider.url, new).status == 202
    provider.lagrange.wait_for(new.uuid, "running", timeout_seconds=30)
    ended = provider.lagrange.wait_for(old.uuid, "terminated", timeout_seconds=30)
    assert ended.body["reason"].startswith("replaced: ")
    assert provider.task(new).state == "running"
    provider.terminate(new)
    provider.lagrange.wait_for(new.uuid, "terminated", timeout_seconds=30)
    assert provider.remains(new.uuid) == []


def test_a_new_job_that_fails_leaves_the_old_one_serving(provider: Provider, space: Path) -> None:
    """The old job of a Space goes on when the one that was to replace it cannot be."""
    old = provider.assign(space)
    provider.lagrange.wait_for(old.uuid, "running", timeout_seconds=30)
    file = space / "deploy.yaml"
    file.write_text(file.read_text().replace("node:22", "node:does-not-exist"))
    new = provider.lagrange.job(old.space_uuid, 900)
    assert provider.lagrange.assign(provider.url, new).status == 202
    provider.lagrange.wait_for(new.uuid, "failed", timeout_seconds=40)
    eventually("the new one is over", lambda: provider.task(new).ended)
    assert provider.task(old).state == "running"
    assert provider.remains(old.uuid)
    eventually("nothing of the new one is left", lambda: not provider.remains(new.uuid))
    assert provider.task(old).state == "running"


def test_another_wallet_cannot_take_a_space(provider: Provider, space: Path) -> None:
    """A Space that names another wallet than the one that owns the task never touches that task."""
    old = provider.assign(space)
    provider.lagrange.wait_for(old.uuid, "running", timeout_seconds=30)
    provider.lagrange.add_space(
        space,
        wallet="0x" + "cd" * 20,
        hardware="CPU only · 2 vCPU · 4 GiB",
        space_uuid=old.space_uuid,
    )
    new = provider.lagrange.job(old.space_uuid, 900)
    assert provider.lagrange.assign(provider.url, new).status == 202
    failed = provider.lagrange.wait_for(new.uuid, "failed", timeout_seconds=30)
    assert failed.body["reason"].startswith("not_the_owner: ")
    assert provider.task(old).state == "running"
