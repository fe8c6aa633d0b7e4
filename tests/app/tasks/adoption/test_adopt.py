"""Adoption of v0.3.0's jobs as tasks: a real Redis, and the simulated cluster."""

import threading
import time
from typing import Any

import pytest

from app.admission.reservations import free as free_room
from app.admission.reservations.ledger import Ledger
from app.context import Context
from app.errors import Temporary
from app.store import Conflict, redis_keys
from app.store.records import State, Task
from app.tasks import (
    advance,
    deadlines,
    transitions,
)
from app.tasks.adoption import adopt
from k8s.api import url_paths
from k8s.api.errors import NotFound, Unavailable
from k8s.apply import apply
from k8s.inventory import inventory
from k8s.legacy import lookup
from k8s.naming import labels
from tests.support.legacy_objects import adopted, left, whole, why


def test_a_job_becomes_a_task(context: Context) -> None:
    """It runs, as recorded: expiry, host name, owner, uuids; found by each of its names."""
    one = left(context)
    before = whole(context)
    task = adopted(context, one)
    assert (task.state, task.host, task.adopted) == (State.RUNNING, one.host, True)
    assert task.expires_at == float(before[one.key.encode()][b"expire_time"])
    assert abs(task.duration - one.seconds_left) < 60
    assert (task.wallet, task.space_name) == (one.wallet.lower(), "My Space")
    assert task.hardware == "CPU only · 2 vCPU · 4 GiB"
    assert [found.id for found in context.store.find(one.space_uuid)] == [one.job_uuid]
    assert task.due_at == task.expires_at
    assert context.redis.zscore(redis_keys.DUE, task.id) == task.expires_at
    assert whole(context) == before


def test_nothing_is_told_to_lagrange(context: Context) -> None:
    """Lagrange knows of the job, and has its result: neither callback nor upload is owed."""
    task = adopted(context, left(context))
    assert context.store.callbacks(task.id) == []
    assert not context.redis.zrange(redis_keys.UPLOADS, 0, -1)
    assert [one.what for one in context.store.timeline(task.id)] == ["adopted"]


def test_no_pod_is_started_anew(context: Context) -> None:
    """The pods are those that were there; they and what leads to them carry our labels."""
    one = left(context)
    before = [pod["metadata"]["uid"] for pod in one.pods(context.cluster)]
    task = adopted(context, one)
    time.sleep(0.5)
    [pod] = one.pods(context.cluster)
    assert [pod["metadata"]["uid"]] == before
    given = {labels.TASK: task.id, labels.WALLET: task.wallet, labels.MANAGED_BY: labels.MANAGER}
    for kind, name in (("Deployment", "deploy"), ("Service", "svc"), ("Ingress", "ing")):
        path = f"{url_paths.collection(kind, one.namespace)}/{name}-{one.space_uuid}"
        assert given.items() <= context.cluster.get(path)["metadata"]["labels"].items()
    assert given.items() <= pod["metadata"]["labels"].items()


def test_its_doors_are_closed(context: Context) -> None:
    """One policy governs the Space's pods in both directions; other pods are left as they were."""
    one = left(context)
    adopted(context, one)
    path = url_paths.collection("NetworkPolicy", one.namespace)
    [policy] = context.cluster.list(path)
    assert policy["spec"]["podSelector"] == {"matchLabels": {labels.SPACE: one.space_uuid}}
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    [rule] = policy["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8080}]


def test_its_room_is_reserved_once(context: Context) -> None:
    """The room of its pod is taken once, and stays taken while the pod is replaced."""
    one = left(context)
    free = total_free(context)
    task = adopted(context, one)
    assert total_free(context) == free
    book = Ledger.read(context.store.fields(redis_keys.RESERVATIONS))
    [slot] = book.of(task.id, 1)
    [pod] = one.pods(context.cluster)
    assert slot.node == pod["spec"]["nodeName"]
    seen = inventory.read(context.cluster, facts={})
    assert task.id in {tenant.task_id for node in seen.nodes for tenant in node.tenants}
    assert slot.amounts.cpu_millis == 10


def total_free(context: Context) -> int:
    """Return how much CPU is free on all nodes."""
    seen = inventory.read(context.cluster, facts={})
    book = Ledger.read(context.store.fields(redis_keys.RESERVATIONS))
    return sum(amount.cpu_millis for amount in free_room.free(seen, book).values())


def test_a_job_is_adopted_once(context: Context) -> None:
    """Again, after its end, and after it is forgotten: never a second time."""
    one = left(context)
    task = adopted(context, one)
    assert adopted(context, one) == task
    end(context, task)
    assert adopted(context, one).state is State.TERMINATED
    context.store.purge(time.time() + 1)
    one.deploy(context.cluster)
    adopt.adopt(context, "")
    assert context.store.get(task.id) is None


def end(context: Context, task: Task) -> None:
    """End a task, as a webhook does, and have it removed."""
    change = transitions.stopping(task, State.TERMINATED, None, now=time.time())
    context.store.commit(change)
    advance.advance(context, task.id)


def test_its_end(context: Context) -> None:
    """Its objects of v0.3.0 go, and room and names are given back; its records stay."""
    one = left(context)
    before = whole(context)
    task = adopted(context, one)
    end(context, task)
    for kind in (*apply.KINDS, "Pod"):
        found = context.cluster.list(url_paths.collection(kind, one.namespace))
        left_over = [each["metadata"]["name"] for each in found]
        assert not left_over, kind
    assert context.store.field(redis_keys.HOSTS, one.host) is None
    assert context.store.field(redis_keys.HOLDERS, one.space_uuid) is None
    assert list(context.store.fields(redis_keys.RESERVATIONS)) == ["version"]
    assert whole(context) == before


def test_a_job_whose_time_is_over(context: Context) -> None:
    """It is adopted and then ended by the clock, as expired."""
    one = left(context, expire_time=str(int(time.time()) - 5))
    task = adopted(context, one)
    assert deadlines.end_due(context) == 1
    advance.advance(context, task.id)
    ended = context.store.get(task.id)
    assert ended
    assert ended.state is State.EXPIRED
    assert [callback.status for callback in context.store.callbacks(task.id)] == ["expired"]


def test_uuids_in_upper_case(context: Context) -> None:
    """Names on the cluster are in lower case, whatever the record says."""
    one = left(context)
    one.write(context.redis, job_uuid=one.job_uuid.upper(), space_uuid=one.space_uuid.upper())
    assert adopted(context, one).space_uuid == one.space_uuid


def test_when_the_cluster_is_away(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is decided while the cluster cannot be asked; afterwards everything is adopted."""
    one = left(context)

    def away(*_: object) -> None:
        raise Unavailable("no route to host")

    with monkeypatch.context() as patch:
        patch.setattr(lookup, "find", away)
        with pytest.raises(Temporary):
            adopt.adopt(context, "")
    assert list(context.store.tasks()) == []
    assert not why(context, one.key)
    assert adopted(context, one).state is State.RUNNING


@pytest.mark.parametrize("line", [1, 2, 3, 4, 5, 6, 7])
def test_a_death_at_any_line(context: Context, monkeypatch: pytest.MonkeyPatch, line: int) -> None:
    """Whoever dies between two writes to the cluster, or before the commit: the next finishes."""
    one = left(context)
    real, writes = type(context.cluster).apply, []

    def dying(*words: Any, **named: Any) -> Any:
        writes.append(words)
        if len(writes) >= line:
            raise KeyboardInterrupt
        return real(*words, **named)

    def dying_commit(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(context.cluster), "apply", dying)
        if line > 6:
            patch.setattr(type(context.store), "commit", dying_commit)
        with pytest.raises(KeyboardInterrupt):
            adopt.adopt(context, "")
    assert list(context.store.tasks()) == []
    task = adopted(context, one)
    assert (task.state, len(context.store.timeline(task.id))) == (State.RUNNING, 1)
    assert labels.TASK in one.pods(context.cluster)[0]["metadata"]["labels"]


def test_when_room_is_taken_meanwhile(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reservation that changed since it was read is read again."""
    one = left(context)
    real, calls = type(context.store).commit, []

    def late(store: Any, *changes: Any) -> None:
        calls.append(changes)
        if len(calls) == 1:
            raise Conflict
        real(store, *changes)

    monkeypatch.setattr(type(context.store), "commit", late)
    assert adopted(context, one).state is State.RUNNING


def test_several_at_once(context: Context) -> None:
    """Several workers adopt at the same time: each job is a task once."""
    several = [left(context) for _ in range(3)]

    def work() -> None:
        for _ in range(20):
            try:
                adopt.adopt(context, "")
            except Temporary:
                continue
            return

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {task.id for task in context.store.tasks()} == {one.job_uuid for one in several}
    assert all(len(context.store.timeline(one.job_uuid)) == 1 for one in several)


def test_the_namespace_is_ours_by_its_labels(context: Context) -> None:
    """It goes like those of every tenant, once it is empty."""
    one = left(context)
    adopted(context, one)
    found = context.cluster.get(f"/api/v1/namespaces/{one.namespace}")["metadata"]["labels"]
    assert found[labels.NAMESPACE] == one.namespace
    assert found[labels.MANAGED_BY] == labels.MANAGER
    with pytest.raises(NotFound):
        context.cluster.get(f"{url_paths.collection('NetworkPolicy', one.namespace)}/default-deny")
