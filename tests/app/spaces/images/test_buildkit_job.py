"""Outcomes of a build's Job, and the packing of its files."""

import tarfile
from dataclasses import replace
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from app.errors import Failure, Permanent, Temporary
from app.spaces.images import BuildRequest, context_image
from app.spaces.images.buildkit_job import PROGRAM, _addresses
from app.spaces.images.detect import choose
from app.spaces.images.job_logs import JobLogs
from k8s.api.client import Cluster
from k8s.jobs.build_progress import Progress
from tests.support.fake_registry import FakeRegistry

DIGEST = "sha256:" + "ab" * 32
DISK = 'Usage of EmptyDir volume "state" exceeds the limit "100Mi". '


@pytest.fixture
def following(order: BuildRequest) -> JobLogs:
    """A build that was followed, and told two lines."""
    cluster = create_autospec(Cluster, instance=True)
    cluster.log.return_value = "newuidmap: not permitted\n"
    logs = JobLogs(cluster, "build-x", order, lambda: None, lambda _: None)
    logs._begin()
    logs._lines.take(b"one\ntwo\n")
    return logs


def failed(following: JobLogs, seen: Progress) -> Failure:
    """Return what an end means."""
    with pytest.raises(Failure) as caught:
        following._outcome(seen)
    return caught.value


def test_success(following: JobLogs) -> None:
    """The digest is the Job's termination message."""
    assert following._outcome(Progress(status=0, digest=DIGEST)) == DIGEST


@pytest.mark.parametrize(
    ("seen", "category"),
    [
        (Progress(status=5), "build_failed"),
        (Progress(status=6), "push_refused"),
        (Progress(status=137, ended=True, reason="Evicted", message=DISK), "build_too_large"),
    ],
)
def test_for_good(following: JobLogs, seen: Progress, category: str) -> None:
    """A fault of the tenant's, or a refusal by the registry, fails the task with the last lines."""
    error = failed(following, seen)
    assert isinstance(error, Permanent)
    assert error.category == category
    assert error.message.endswith("; the log ends with: one | two")


@pytest.mark.parametrize(
    "seen",
    [
        Progress(status=0, digest="no digest"),
        Progress(status=3),
        Progress(status=4),
        Progress(status=137, ended=True, reason="Evicted", message="The node was low on resource"),
        Progress(ended=True, reason="BackoffLimitExceeded"),
        Progress(ended=True, reason="DeadlineExceeded", message="0/3 nodes are available"),
        Progress(ended=True, message="its Job was removed"),
    ],
)
def test_for_now(following: JobLogs, seen: Progress) -> None:
    """A fault of the cluster's is tried again, in its words."""
    error = failed(following, seen)
    assert isinstance(error, Temporary)
    assert error.category == "builder"
    if seen.message:
        assert seen.message in error.message
    if seen.status == 3:
        assert "newuidmap: not permitted" in error.message


def test_a_push_while_the_registry_is_away(following: JobLogs, fake: FakeRegistry) -> None:
    """It is tried again, as with other builders."""
    fake.answer = lambda _path, _authorization: (503, {}, b"")
    error = failed(following, Progress(status=6))
    assert (type(error), error.category) == (Temporary, "registry")


def test_addresses() -> None:
    """A registry's name is looked up, and its port is that of its scheme unless it has one."""
    assert list(_addresses("127.0.0.1:5000", plain_http=False)) == [("127.0.0.1", 5000)]
    assert list(_addresses("127.0.0.1", plain_http=False)) == [("127.0.0.1", 443)]
    assert list(_addresses("127.0.0.1", plain_http=True)) == [("127.0.0.1", 80)]
    with pytest.raises(Temporary, match="cannot be resolved"):
        list(_addresses("registry.invalid", plain_http=False))


def test_the_same_files_make_the_same_parcel(order: BuildRequest, tmp_path: Path) -> None:
    """Neither their owner nor their times matter, and no name of theirs has a meaning."""
    files = order.context.folder
    (files / "sub").mkdir()
    (files / "sub" / ".wh.odd").write_text("content")
    first = context_image._digest(context_image._packed(files, order.folder))
    (files / "sub" / ".wh.odd").write_text("content")
    (files / "sub").chmod(0o700)
    layer = context_image._packed(files, tmp_path)
    assert context_image._digest(layer) == first
    with tarfile.open(layer) as outer:
        assert outer.getnames() == ["context.tar"]
        inner = outer.extractfile("context.tar")
        assert inner is not None
        with tarfile.open(fileobj=inner) as packed:
            assert sorted(packed.getnames()) == [".", "./sub", "./sub/.wh.odd"]
            assert {(member.mode, member.uid) for member in packed.getmembers()} == {(0o755, 0)}


def test_it_is_no_program_of_this_machine() -> None:
    """A build without a cluster needs another builder, and its error says so."""
    with pytest.raises(Permanent, match="CP_BUILD_BUILDER"):
        choose(PROGRAM)


def test_credentials_are_not_shown(order: BuildRequest) -> None:
    """Neither as they are, nor as the registry wants them."""
    assert "hunter2" not in repr(replace(order))
