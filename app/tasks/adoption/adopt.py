"""Adoption of v0.3.0's jobs: read the record, look at the cluster, claim, commit a task."""

import time
from contextlib import suppress

import msgspec
import structlog

from app.admission.reservations import placement
from app.admission.reservations.ledger import Ledger, Slot
from app.context import Context
from app.errors import Permanent, Temporary
from app.store import Conflict, leases, redis_keys
from app.store.job_data import JobData
from app.store.records import State, Task
from app.store.sync import encoded
from app.tasks import transitions
from app.tasks.adoption import legacy_records
from app.tasks.adoption.legacy_records import Record, Unusable
from app.tasks.steps.apply import translated
from k8s.inventory import pod_requests
from k8s.legacy import lookup
from k8s.legacy.lookup import LegacyDeployment, NotLegacy
from k8s.naming import labels, names
from k8s.workload import Workload

log = structlog.get_logger()

_ATTEMPTS = 50


def adopt(context: Context, _: str) -> None:
    """Make a task of every job that v0.3.0 has on the cluster; what is one already stays as it is.

    A record that nothing can be made of is left alone, and the log says why, once.

    Raises:
        Temporary: Redis or the cluster is away, or somebody else is at it; nothing was decided.
    """
    postponed: Temporary | None = None
    with leases.held(context.redis, "adoption") as lock:
        for key, fields in context.store.legacy_records(legacy_records.FIELDS):
            lock.check()
            try:
                _adopt(context, legacy_records.read(key, fields))
            except (Unusable, NotLegacy, Permanent) as error:
                _leave_alone(context, key, str(error))
            except Temporary as error:
                log.warning("adoption postponed", key=key, error=error.message)
                postponed = error
    if postponed:
        raise postponed


def _leave_alone(context: Context, key: str, reason: str) -> None:
    if context.store.field(redis_keys.ADOPTED, key) != reason:
        context.store.set_field(redis_keys.ADOPTED, key, reason)
        log.warning("record of v0.3.0 left alone", key=key, reason=reason)


def _adopt(context: Context, record: Record) -> None:
    if context.store.field(redis_keys.ADOPTED, record.job_uuid):
        return
    names = f"task:{record.job_uuid}", f"space:{record.space_uuid}"
    with leases.held(context.redis, *names):
        legacy = _found(context, record)
        task, workload = _planned(context, record, legacy)
        _refuse_taken(context, task)
        with translated():
            pods = lookup.claim(context.cluster, legacy, workload, context.capabilities)
        _commit(context, record, task, workload, _slots(task, pods))
    log.info("adopted", task=task.id, space=task.space_uuid, expires_at=record.expires_at)


def _found(context: Context, record: Record) -> LegacyDeployment:
    with translated():
        namespace = names.namespace(record.wallet)
        legacy = lookup.find(context.cluster, namespace, record.space_uuid)
    if legacy is None:
        raise Unusable("nothing of it is on the cluster")
    if legacy.task_id not in {"", record.job_uuid}:
        raise Unusable(f"its Deployment runs for task {legacy.task_id}")
    return legacy


def _planned(context: Context, record: Record, legacy: LegacyDeployment) -> tuple[Task, Workload]:
    """Return the task as it is now, and what would have to run, were it deployed again."""
    host = record.host or legacy.host
    if not host:
        raise Unusable("it has no url, and no Ingress leads to it")
    component = legacy.component(
        space_uuid=record.space_uuid, space_name=record.space_name, host=host
    )
    workload = Workload(
        task_id=record.job_uuid,
        space_uuid=record.space_uuid,
        space_name=record.space_name,
        wallet=record.wallet,
        revision=lookup.REVISION,
        components=(component,),
    )
    duration = max(1, round(record.expires_at - legacy.deployed_at))
    task = Task(
        id=record.job_uuid,
        job=_job(context, record, duration),
        host=host,
        created_at=legacy.deployed_at,
        start_deadline=legacy.deployed_at,
        started_at=legacy.deployed_at,
        expires_at=record.expires_at,
        duration=duration,
        space_uuid=record.space_uuid,
        space_name=record.space_name,
        wallet=record.wallet,
        hardware=record.hardware,
        state=State.RUNNING,
        revision=lookup.REVISION,
        latest_revision=lookup.REVISION,
        applied_revision=lookup.REVISION,
        running_revision=lookup.REVISION,
        components={component.name: component.replicas},
        adopted=True,
    )
    return task, workload


def _job(context: Context, record: Record, duration: int) -> JobData:
    """v0.3.0 did not write down where the Space came from; this is where Lagrange has them."""
    source = f"{context.config.lag.server_url.rstrip('/')}/spaces/{record.space_uuid}"
    return JobData(uuid=record.job_uuid, duration=duration, job_source_uri=source)


def _refuse_taken(context: Context, task: Task) -> None:
    if context.store.get(task.id):
        raise Unusable(f"job {task.id} is known already")
    for key, name in ((redis_keys.HOLDERS, task.space_uuid), (redis_keys.HOSTS, task.host)):
        if other := context.store.field(key, name):
            raise Unusable(f"{name} belongs to task {other}")


def _slots(task: Task, pods: list[dict[str, object]]) -> tuple[Slot, ...]:
    """The room of its pods, reserved for those that may take their place."""
    slots = []
    for number, pod in enumerate(msgspec.convert(pods, list[pod_requests.InventoryPod])):
        if pod.spec.node_name and not pod.finished:
            component = pod.metadata.labels[labels.COMPONENT]
            slot = Slot(
                name=f"{redis_keys.holder(task.id, task.revision)}:{component}:{number}",
                component=component,
                node=pod.spec.node_name,
                amounts=pod_requests.effective(pod),
            )
            slots.append(slot)
    return tuple(slots)


def _commit(
    context: Context, record: Record, task: Task, workload: Workload, slots: tuple[Slot, ...]
) -> None:
    for _ in range(_ATTEMPTS):
        _refuse_taken(context, task)
        ledger = Ledger.read(context.store.fields(redis_keys.RESERVATIONS))
        change = transitions.adopted(
            task,
            now=time.time(),
            key=record.key,
            workload=encoded(workload),
            demands=placement.encoded(workload),
            guards=ledger.reserving(task.id, task.revision, slots),
        )
        try:
            context.store.commit(change)
        except Conflict:
            continue
        return
    raise Temporary("other jobs take room at the same time", category="busy", retry_after=1)


def is_as_found(task: Task) -> bool:
    """Tell whether a task runs v0.3.0's Deployment, and nothing else is wanted."""
    going_on = task.adopted and not task.ended and not task.stopping
    return going_on and {task.revision, task.applied_revision} == {lookup.REVISION}


def claim(context: Context, task_id: str) -> None:
    """Claim pods that took the place of others of an adopted task; there may be none.

    Raises:
        Permanent: The cluster refuses.
        Temporary: Redis or the cluster is away, or somebody else is at the task.
    """
    with leases.held(context.redis, f"task:{task_id}"):
        task = context.store.get(task_id)
        workload = context.store.workload(task_id, lookup.REVISION)
        if task is None or workload is None or not is_as_found(task):
            return
        # After a redeploy that failed the Deployment is one of ours, whose pods need no claim.
        with translated(), suppress(NotLegacy):
            namespace = names.namespace(task.wallet)
            legacy = lookup.find(context.cluster, namespace, task.space_uuid)
            if legacy is not None:
                lookup.claim(context.cluster, legacy, workload, context.capabilities)
