"""Uploads of results: a real Redis, a stand-in for Multichain Storage."""

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace as changed

from app.context import Context, open_context
from app.lagrange import result_upload
from app.store import Change, redis_keys
from app.store.job_data import JobData
from app.store.records import Reason, State, Task
from app.tasks import transitions
from tests.support import market
from tests.support.fake_storage import API_KEY, Storage

JOB = JobData(
    uuid=str(uuid.uuid4()),
    duration=900,
    job_source_uri=f"{market.SPACES}/{uuid.uuid4()}",
    node_id_job_source_uri_signature="0xsecret",
    task_uuid=str(uuid.uuid4()),
)


@pytest.fixture
def storage() -> Iterator[Storage]:
    """An empty storage."""
    with Storage() as running:
        yield running


@pytest.fixture
def context(tmp_path: Path, redis_url: str, storage: Storage) -> Context:
    """A provider that uploads."""
    table = f"""
[MCS]
ApiKey = "{API_KEY}"
BucketName = "results"
ServerUrl = "{storage.url}"
"""
    (tmp_path / "config.toml").write_text(market.configuration(redis_url, more=table))
    return open_context(str(tmp_path))


def running(context: Context) -> Task:
    """Save a task that runs."""
    born = transitions.accepted(JOB, host="a.example.com", now=1, start_timeout_seconds=60)
    after = changed(born.after, state=State.RUNNING, started_at=time.time())
    context.store.commit(Change(before=None, after=after, at=time.time()))
    return held(context)


def held(context: Context) -> Task:
    """Return the task as it is now."""
    found = context.store.get(JOB.uuid)
    assert found
    return found


def owed(context: Context) -> bool:
    """Tell whether an upload is to be made, now or later."""
    return bool(context.store.due(redis_keys.UPLOADS, 1e12))


def test_a_result_is_uploaded(context: Context, storage: Storage) -> None:
    """The result of a running task goes to jobs/<uuid>.json, is reported and saved."""
    running(context)
    assert result_upload.upload_due(context) == 1
    result_upload.upload(context, JOB.uuid)
    task = held(context)
    file = storage.files[f"jobs/{JOB.uuid}.json"]
    assert task.result_url == f"https://gateway.example.com/ipfs/{file['payload_cid']}"
    assert task.state is State.RUNNING
    assert [one.status for one in context.store.callbacks(JOB.uuid)] == ["uploadResult"]
    assert not owed(context)
    assert result_upload.upload_due(context) == 0


def test_what_is_uploaded(context: Context, storage: Storage) -> None:
    """The document is the answer to the assignment, without logs and signatures, ever the same."""
    task = running(context)
    result_upload.upload(context, JOB.uuid)
    told = json.loads(storage.content(f"jobs/{JOB.uuid}.json"))
    assert (told["uuid"], told["status"]) == (JOB.uuid, "submitted")
    assert told["job_real_uri"] == "https://a.example.com"
    assert told["build_log"] == told["container_log"] == ""
    assert "0xsecret" not in json.dumps(told)
    later = msgspec.structs.replace(task, sequence=9, version=7)
    assert result_upload.document(later) == result_upload.document(task)


def test_twice(context: Context, storage: Storage) -> None:
    """A repeated upload uploads nothing and reports nothing."""
    running(context)
    result_upload.upload(context, JOB.uuid)
    calls = len(storage.calls)
    result_upload.upload(context, JOB.uuid)
    assert len(storage.calls) == calls
    assert len(context.store.callbacks(JOB.uuid)) == 1


def test_a_worker_that_died_in_between(context: Context, storage: Storage) -> None:
    """A file that was uploaded before a crash is found again."""
    task = running(context)
    result_upload.upload(context, JOB.uuid)
    url = held(context).result_url
    context.redis.flushall()
    context.store.commit(Change(before=None, after=task, at=1))
    result_upload.upload(context, JOB.uuid)
    assert held(context).result_url == url
    assert storage.calls.count("oss_file/upload") == 1


def test_a_storage_that_is_away(context: Context, storage: Storage) -> None:
    """An outage pauses all uploads, not the task; then the result is uploaded."""
    running(context)
    storage.faults = lambda _: 503
    assert result_upload.upload_due(context) == 1
    result_upload.upload(context, JOB.uuid)
    assert held(context).state is State.RUNNING
    assert context.store.callbacks(JOB.uuid) == []
    assert owed(context)
    assert result_upload.upload_due(context) == 0
    calls = len(storage.calls)
    result_upload.upload(context, JOB.uuid)
    assert len(storage.calls) == calls, "the storage is left alone"
    assert 0 < int(context.redis.ttl(redis_keys.UPLOADS_PAUSED)) <= 60
    context.redis.delete(redis_keys.UPLOADS_PAUSED)
    storage.faults = lambda _: None
    result_upload.upload(context, JOB.uuid)
    assert held(context).result_url


def test_a_wrong_key(context: Context, storage: Storage) -> None:
    """A refusal that the operator has to correct is retried hourly; the task goes on."""
    running(context)
    storage.faults = lambda _: 403
    result_upload.upload(context, JOB.uuid)
    assert held(context).state is State.RUNNING
    assert int(context.redis.ttl(redis_keys.UPLOADS_PAUSED)) > 3000
    assert owed(context)


def test_a_task_that_ends(context: Context, storage: Storage) -> None:
    """Nothing is uploaded for a task that is being ended, nor later."""
    task = running(context)
    reason = Reason("deleted", "")
    context.store.commit(transitions.stopping(task, State.TERMINATED, reason, now=1))
    result_upload.upload(context, JOB.uuid)
    assert storage.calls == []
    assert not owed(context)


def test_a_task_that_ends_meanwhile(context: Context, storage: Storage) -> None:
    """A task that ends during the upload reports no result."""
    task = running(context)

    def end(call: str) -> None:
        if call == "oss_file/merge":
            context.store.commit(transitions.stopping(task, State.EXPIRED, None, now=1))

    storage.faults = end
    result_upload.upload(context, JOB.uuid)
    assert held(context).result_url == ""
    assert context.store.callbacks(JOB.uuid) == []


def test_without_a_key(context: Context, storage: Storage) -> None:
    """Nothing is uploaded while no key is configured."""
    running(context)
    table = msgspec.structs.replace(context.config.mcs, api_key="")
    config = msgspec.structs.replace(context.config, mcs=table)
    assert result_upload.upload_due(replace(context, config=config)) == 0
    assert storage.calls == []
