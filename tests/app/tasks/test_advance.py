"""A worker whose step fails, on a real Redis."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from app.config.redaction import Redaction
from app.context import Context, open_context
from app.errors import Permanent, Temporary
from app.store import Change
from app.store.job_data import JobData
from app.store.records import Reason, State
from app.tasks import advance, transitions
from app.tasks.steps import fetch
from k8s.api.errors import Refused
from k8s.apply import apply
from tests.support import market


@pytest.fixture
def context(provider_folder: Path) -> Iterator[Context]:
    """A provider of its own, with a cluster that is never asked."""
    opening = open_context(str(provider_folder))
    opening.__dict__["cluster"] = None
    yield opening
    opening.redis.close()


def test_a_cluster_that_refuses_the_end(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deletion that fails is left for later after one look at the cluster, not thousands."""
    job = JobData(
        uuid=str(uuid.uuid4()), duration=900, job_source_uri=f"{market.SPACES}/{uuid.uuid4()}"
    )
    born = transitions.accepted(job, host="a.example.com", now=1, start_timeout_seconds=60)
    wallet, space = f"0x{uuid.uuid4().hex}", str(uuid.uuid4())
    running = replace(
        born.after, state=State.RUNNING, wallet=wallet, space_uuid=space, applied_revision=1
    )
    why = Reason("terminated", "ended by the tenant")
    ending = transitions.stopping(running, State.TERMINATED, why, now=time.time()).after
    context.store.commit(Change(before=None, after=ending, at=time.time()))
    asked = []

    def refuse(*_: object, **__: object) -> bool:
        asked.append(time.time())
        raise Refused(status=403, reason="Forbidden", message="cannot list resource")

    monkeypatch.setattr(apply, "remove", refuse)
    with pytest.raises(Temporary, match="cannot list resource"):
        advance.advance(context, ending.id)
    assert len(asked) == 1


def test_a_failure_tells_no_secret(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step's failure may quote its secrets; the task's reason does not."""
    job = JobData(
        uuid=str(uuid.uuid4()), duration=900, job_source_uri=f"{market.SPACES}/{uuid.uuid4()}"
    )
    born = transitions.accepted(job, host="a.example.com", now=1, start_timeout_seconds=60)
    context.store.commit(born)
    context.__dict__["redaction"] = Redaction(["hunter2"])

    def fail(_: object) -> None:
        raise Permanent("refused: Bearer hunter2", category="internal")

    monkeypatch.setattr(fetch, "fetch", fail)
    advance.advance(context, job.uuid)
    task = context.store.get(job.uuid)
    assert task is not None
    assert task.reason == Reason("internal", "refused: Bearer [secret]")
