"""Room on the cluster's nodes for a task's workload, reserved in the commit that says what runs."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from app.admission.reservations import placement
from app.admission.reservations.ledger import Ledger, Slot
from app.admission.reservations.placement import Demand, NoRoom
from app.context import Context
from app.errors import Permanent, Temporary
from app.spaces.planning import Plan
from app.spaces.source import Space
from app.store import Change, Conflict, Guard, redis_keys
from app.store.records import Fallback, Task
from app.store.sync import encoded
from app.tasks import transitions
from app.tasks.step import StepContext
from app.tasks.steps.apply import overrides, translated
from k8s import render
from k8s.inventory import inventory, pod_requests
from k8s.inventory.inventory import Inventory
from k8s.manifests.scope import Manifest
from k8s.workload import Workload

NO_ROOM = "no_room"
_ATTEMPTS = 50
_PREDECESSOR_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Counted:
    """A workload, its manifests, and what its pods need as they are rendered."""

    workload: Workload
    manifests: Sequence[Manifest]
    demands: tuple[Demand, ...]


@dataclass(frozen=True, slots=True)
class Reserved:
    """Room that is free, and taken once the guards are committed.

    Attributes:
        workload: As it is rendered for its nodes.
        guards: They write the reservation; a Conflict when another task took room meanwhile.
        where: On which nodes, for people.
        kept: Whether it was reserved before.
    """

    workload: Workload
    guards: tuple[Guard, ...]
    where: str
    kept: bool


Becomes = Callable[[StepContext, Reserved, Task | None], Change | None]


def before_build(step: StepContext, space: Space, workload: Workload) -> StepContext:
    """Reserve room before an image is built; return the step with the task as it is then.

    Raises:
        Permanent, Superseded, Temporary: As `commit`.
    """

    def becomes(now: StepContext, room: Reserved, _: Task | None) -> Change | None:
        if room.kept:
            return None
        return transitions.reserved(now.task, room.where, guards=room.guards, now=time.time())

    return _with_room(step, space, _counted(step.context, workload), becomes)


def commit(step: StepContext, space: Space, plan: Plan) -> Sequence[Manifest]:
    """Reserve room and commit what has to run; return its manifests, as they were counted.

    Raises:
        Permanent: `no_room`, `host_taken`, `not_the_owner`; what rendering refuses.
        Superseded: The task was changed meanwhile.
        Temporary: `busy`; the cluster or Redis is away.
    """

    def becomes(now: StepContext, room: Reserved, replaced: Task | None) -> Change:
        return transitions.deploying(
            now.task,
            now=time.time(),
            workload=encoded(room.workload),
            demands=placement.encoded(room.workload),
            guards=(*_claims(now, plan.workload, replaced), *room.guards),
            notes=plan.warnings,
            space_uuid=space.uuid,
            space_name=space.name,
            wallet=space.wallet,
            hardware=space.hardware,
            components={part.name: part.replicas for part in plan.workload.components},
            fallback=_fallback(now.task, replaced),
        )

    counted = _counted(step.context, plan.workload)
    _with_room(step, space, counted, becomes)
    return counted.manifests


def predecessor(step: StepContext, space: Space) -> Task | None:
    """Return the task whose objects this Space has on the cluster now; wait for one that is ending.

    Raises:
        Permanent: `not_the_owner`: it belongs to another wallet.
        Superseded: The task was changed meanwhile.
        Temporary: It takes too long to end.
    """
    until = time.monotonic() + _PREDECESSOR_SECONDS
    while True:
        holder = step.context.store.field(redis_keys.HOLDERS, space.uuid)
        other = step.context.store.get(holder) if holder and holder != step.task.id else None
        if other is None or other.ended:
            return None
        if other.wallet != space.wallet:
            message = f"Space {space.uuid} runs for another wallet"
            raise Permanent(message, category="not_the_owner")
        if not other.stopping:
            return other
        step.pause(1, until=until, what=f"the end of job {other.id} of the same Space")


def _counted(context: Context, workload: Workload) -> Counted:
    """Render a workload, the operator's own templates included: that is what has to be reserved."""
    with translated():
        manifests = render.workload(workload, context.capabilities, overrides=overrides(context))
    demands = placement.demands(workload, pod_requests.by_component(manifests))
    return Counted(workload, manifests, demands)


def _with_room(step: StepContext, space: Space, counted: Counted, becomes: Becomes) -> StepContext:
    """Commit a change with the room for it; decide anew when another task took room meanwhile."""
    for _ in range(_ATTEMPTS):
        replaced = predecessor(step, space)
        room = _reserved(step, counted, _fallback(step.task, replaced))
        change = becomes(step, room, replaced)
        if change is None:
            return step
        try:
            step.context.store.commit(change)
        except Conflict:
            step = step.current()
        else:
            return step.current()
    raise Temporary("other jobs take room at the same time", category="busy", retry_after=1)


def _fallback(task: Task, replaced: Task | None) -> Fallback | None:
    if replaced is None:
        return task.fallback
    return Fallback(replaced.id, replaced.revision)


def _reserved(step: StepContext, counted: Counted, fallback: Fallback | None) -> Reserved:
    """Find room for a task's wanted revision; slots that it holds and still needs are kept."""
    task, wanted = step.task, counted.demands
    with translated():
        seen = inventory.read(step.context.cluster, facts={})
    ledger = Ledger.read(step.context.store.fields(redis_keys.RESERVATIONS))
    slots = ledger.of(task.id, task.revision)
    kept = placement.holds(wanted, seen, slots)
    if not kept:
        slots = _placed(wanted, seen, ledger, task=task, fallback=fallback)
    guards = tuple(ledger.reserving(task.id, task.revision, slots))
    workload = placement.steered(counted.workload, seen, slots)
    return Reserved(workload, guards, _where(slots), kept=kept)


def _placed(
    wanted: Sequence[Demand],
    seen: Inventory,
    ledger: Ledger,
    *,
    task: Task,
    fallback: Fallback | None,
) -> tuple[Slot, ...]:
    before = ledger.of(fallback.task_id, fallback.revision) if fallback else ()
    try:
        return placement.place(
            wanted, seen, ledger, task_id=task.id, revision=task.revision, before=before
        )
    except NoRoom as error:
        raise Permanent(str(error), category=NO_ROOM) from None


def _where(slots: tuple[Slot, ...]) -> str:
    return "on " + ", ".join(sorted({slot.node for slot in slots}))


def _claims(step: StepContext, workload: Workload, replaced: Task | None) -> Iterator[Guard]:
    """Claim the host names that the file asks for beside the task's own.

    Raises:
        Permanent: `host_taken`: one belongs to another running task.
    """
    mine = {step.task.id} | ({replaced.id} if replaced else set())
    for host in _hosts(workload) - {step.task.host}:
        holder = step.context.store.field(redis_keys.HOSTS, host)
        other = step.context.store.get(holder) if holder and holder not in mine else None
        if other and not other.ended:
            message = f"the host name {host} belongs to another task; remove it from accept"
            raise Permanent(message, category="host_taken")
        yield Guard(redis_keys.HOSTS, host, holder, step.task.id)
    yield from _outdated_claims(step, workload)


def _outdated_claims(step: StepContext, workload: Workload) -> Iterator[Guard]:
    """Release the names that neither this version asks for nor the one that serves until then."""
    store, task = step.context.store, step.task
    needed = {task.host} | _hosts(workload)
    if task.fallback and (serving := store.workload(task.id, task.fallback.revision)):
        needed |= _hosts(serving)
    for host, holder in store.fields(redis_keys.HOSTS).items():
        if holder == task.id and host not in needed:
            yield Guard(redis_keys.HOSTS, host, holder, None)


def _hosts(workload: Workload) -> set[str]:
    return {
        host
        for component in workload.components
        for container in component.containers
        for port in container.ports
        for host in port.hosts
    }
