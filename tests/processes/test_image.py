"""Spaces with a Dockerfile where nothing can be built, on real processes."""

from pathlib import Path

from tests.support.provider import Provider


def test_without_a_registry(provider: Provider, tmp_path: Path) -> None:
    """The task fails at once, and its reason tells the operator what to set."""
    space = tmp_path / "image"
    space.mkdir()
    (space / "Dockerfile").write_text("FROM scratch\n")
    job = provider.assign(space)
    failed = provider.lagrange.wait_for(job.uuid, "failed", timeout_seconds=30)
    assert failed.body["reason"].startswith("no_registry: ")
    assert "[Registry] ServerAddress" in failed.body["reason"]
    assert provider.statuses(job) == ["downloadSource", "failed"]
    assert provider.task(job).ended
    assert list((provider.folder / "scratch").iterdir()) == []
