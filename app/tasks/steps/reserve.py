"""Room on the cluster's nodes for what a task has to run, reserved with the task's plan."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.admission.reservations import placement
from app.admission.reservations.ledger import Ledger, Slot
from app.admission.reservations.placement import Demand, NoRoom
from app.context import Context
from app.errors import Permanent
from app.store import Guard, redis_keys
from app.store.records import Fallback, Task
from app.tasks.step import StepContext
from app.tasks.steps.apply import overrides, translated
from k8s import render
from k8s.inventory import inventory, pod_requests
from k8s.inventory.inventory import Inventory
from k8s.workload import Workload

NO_ROOM = "no_room"


@dataclass(frozen=True, slots=True)
class Reserved:
    """Room that is found, and taken once the guards are committed.

    Attributes:
        workload: As it is rendered for its nodes.
        guards: What writes the reservation down; a Conflict when another took room meanwhile.
        where: On which nodes, for people.
        kept: Whether it was written down before.
    """

    workload: Workload
    guards: tuple[Guard, ...]
    where: str
    kept: bool


def reserve(work: StepContext, workload: Workload, fallback: Fallback | None) -> Reserved:
    """Find room for a task's wanted revision; what it holds already, and needs still, it keeps.

    Args:
        work: The step.
        workload: What has to run.
        fallback: The version that it takes the place of, which runs until it does.

    Raises:
        Permanent: `no_room`; what rendering refuses.
        Temporary: The cluster or Redis is away.
    """
    context, task = work.context, work.task
    with translated():
        seen = inventory.read(context.cluster, facts={})
        wanted = _demands(context, workload)
    book = Ledger.read(context.store.fields(redis_keys.RESERVATIONS))
    slots = book.of(task.id, task.revision)
    kept = placement.holds(wanted, seen, slots)
    if not kept:
        slots = _placed(wanted, seen, book, task=task, fallback=fallback)
    guards = tuple(book.reserving(task.id, task.revision, slots))
    return Reserved(placement.steered(workload, seen, slots), guards, _where(slots), kept=kept)


def _placed(
    wanted: Iterable[Demand],
    seen: Inventory,
    book: Ledger,
    *,
    task: Task,
    fallback: Fallback | None,
) -> tuple[Slot, ...]:
    before = book.of(fallback.task_id, fallback.revision) if fallback else ()
    try:
        return placement.place(
            wanted, seen, book, task_id=task.id, revision=task.revision, before=before
        )
    except NoRoom as error:
        raise Permanent(str(error), category=NO_ROOM) from None


def _where(slots: tuple[Slot, ...]) -> str:
    return "on " + ", ".join(sorted({slot.node for slot in slots}))


def _demands(context: Context, workload: Workload) -> tuple[Demand, ...]:
    """What is reserved is what is rendered, the operator's own templates included."""
    manifests = render.workload(workload, context.capabilities, overrides=overrides(context))
    return placement.demands(workload, pod_requests.by_component(manifests))
