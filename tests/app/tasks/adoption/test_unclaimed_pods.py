"""Pods of v0.3.0 that nobody has claimed yet."""

import time

from app.context import Context
from app.store import rq_queue
from app.tasks import (
    transitions,
)
from app.tasks.adoption import adopt
from app.tasks.adoption.unclaimed_pods import UnclaimedPods
from k8s.api import url_paths
from k8s.api.objects import Metadata, Pod
from k8s.apply import apply
from k8s.naming import labels
from tests.support.legacy_objects import Left, adopted, left, ready
from tests.support.waiting import eventually


def test_a_pod_that_takes_the_place_of_another(context: Context) -> None:
    """It is claimed when somebody comes upon it, and only for a task that runs as it was found."""
    one = left(context)
    task = adopted(context, one)
    [before] = one.pods(context.cluster)
    context.cluster.delete(
        url_paths.object_path({**before, "kind": "Pod"}), uid=before["metadata"]["uid"]
    )
    eventually("another pod is ready", ready(one, context.cluster))
    [stranger] = one.pods(context.cluster)
    assert labels.TASK not in stranger["metadata"]["labels"]
    adopt.claim(context, task.id)
    [claimed] = one.pods(context.cluster)
    assert claimed["metadata"]["labels"][labels.TASK] == task.id


def test_who_is_met_is_claimed(context: Context) -> None:
    """A worker is called for a pod of an adopted task, and for nobody else's."""
    one, other = left(context), Left().deploy(context.cluster)
    task = adopted(context, one)
    strangers = UnclaimedPods(context)
    for each in (one, other):
        metadata = Metadata(namespace=each.namespace, labels={labels.SPACE: each.space_uuid})
        strangers.meet(Pod(metadata=metadata))
    elsewhere = Metadata(namespace="default", labels={labels.SPACE: other.space_uuid})
    strangers.meet(Pod(metadata=elsewhere))
    strangers.report()
    strangers.report()
    called = rq_queue.queue_on(context.redis).jobs
    assert [(job.func_name, job.args) for job in called] == [(rq_queue.CLAIM, [task.id])]


def test_nothing_is_claimed_of_a_deployment_of_ours(context: Context) -> None:
    """After a redeploy that failed, the Deployment of the first revision may be one of ours."""
    one = left(context)
    task = adopted(context, one)
    path = f"{url_paths.collection('Deployment', one.namespace)}/deploy-{one.space_uuid}"
    context.cluster.delete(path)
    eventually("it is gone", lambda: not one.pods(context.cluster))
    workload = context.store.workload(task.id, 1)
    assert workload
    apply.deploy(context.cluster, workload, context.capabilities)
    adopt.claim(context, task.id)


def test_what_would_run_again(context: Context) -> None:
    """The workload of its first revision is what v0.3.0 deployed."""
    one = left(context)
    task = adopted(context, one)
    workload = context.store.workload(task.id, 1)
    assert workload
    [component] = workload.components
    [container] = component.containers
    assert (container.image, container.env) == (one.image, (("GREETING", "hello"),))
    assert (container.ports[0].number, container.ports[0].hosts) == (8080, (one.host,))
    assert task.components == {component.name: 1}


def test_after_a_redeploy_nothing_is_claimed(context: Context) -> None:
    """Once another revision is wanted, pods belong to whom their labels say."""
    task = adopted(context, left(context))
    change = transitions.redeployed(task, task.job, now=time.time())
    assert adopt.is_as_found(task)
    assert not adopt.is_as_found(change.after)
