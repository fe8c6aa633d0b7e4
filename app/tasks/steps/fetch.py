"""The step from an accepted job to a plan: fetch the Space, check whose it is, read its file."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from app import context
from app.errors import Permanent, Temporary
from app.net.http_client import Fetcher
from app.spaces import (
    ldl,
    planning,
    scratch,
    source,
)
from app.spaces.dockerfile import Dockerfile
from app.spaces.ldl import hardware
from app.spaces.source import SourceLimits, Space
from app.store import (
    Change,
    Conflict,
    Guard,
    redis_keys,
)
from app.store.job_data import source_uuid
from app.store.records import Fallback, State, Task
from app.store.sync import encoded
from app.tasks import transitions
from app.tasks.step import StepContext
from app.tasks.steps import (
    admit,
    build,
    reserve,
)
from app.tasks.steps import (
    plan as plan_step,
)
from app.tasks.steps.reserve import Reserved
from k8s.workload import Resources, Workload

_T = TypeVar("_T")
Becomes = Callable[[StepContext, Reserved, Task | None], Change | None]
_POLL_SECONDS = 0.5
_PREDECESSOR_SECONDS = 60
_ATTEMPTS = 50


def fetch(work: StepContext) -> None:
    """Fetch, check, build where that is needed, and plan; the task then waits to be applied.

    Raises:
        Permanent: The Space cannot be had, is another's, its file is refused, its build fails.
        Superseded: The task was changed meanwhile.
        Temporary: Try again later.
    """
    task = work.task
    if task.state is not State.FETCHING:
        work.commit(transitions.fetching(task, now=time.time()))
        return
    with ExitStack() as held:
        folder = held.enter_context(scratch.folder(work.context.folder / "scratch", "space"))
        space = _guarded(work, _described(work))
        kind = source.kind(space)
        if kind.name == "image":
            work = _reserved(work, space)
            held.enter_context(build.turn(work))
        files = _guarded(work, _downloaded(work, space, folder / "files"))
        _predecessor(work, space)
        work, plan = _planned(work, space, files, folder)
        _commit(work, space, plan)


def _reserved(work: StepContext, space: Space) -> StepContext:
    """Reserve room before anything is built: an image changes nothing of what its pod takes."""
    names, bound = _names(work.task, space), _bound(space)
    plan = planning.plan_image(names, "", Dockerfile(), hardware=bound)

    def becomes(now: StepContext, room: Reserved, _: Task | None) -> Change | None:
        if room.kept:
            return None
        return transitions.reserved(now.task, room.where, guards=room.guards, now=time.time())

    return _with_room(work, space, plan.workload, becomes)


def _commit(work: StepContext, space: Space, plan: planning.Plan) -> None:
    """Reserve room and say what has to run."""

    def becomes(now: StepContext, room: Reserved, predecessor: Task | None) -> Change:
        return transitions.deploying(
            now.task,
            now=time.time(),
            workload=encoded(room.workload),
            guards=(*_claims(now, plan.workload, predecessor), *room.guards),
            notes=plan.warnings,
            space_uuid=space.uuid,
            space_name=space.name,
            wallet=space.wallet,
            hardware=space.hardware,
            components={one.name: one.replicas for one in plan.workload.components},
            fallback=_fallback(now.task, predecessor),
        )

    _with_room(work, space, plan.workload, becomes)


def _with_room(
    work: StepContext, space: Space, workload: Workload, becomes: Becomes
) -> StepContext:
    """Commit a change with the room for it; who took room meanwhile has it decided anew."""
    for _ in range(_ATTEMPTS):
        predecessor = _predecessor(work, space)
        room = reserve.reserve(work, workload, _fallback(work.task, predecessor))
        change = becomes(work, room, predecessor)
        if change is None:
            return work
        try:
            work.context.store.commit(change)
        except Conflict:
            work = work.current()
        else:
            return work.current()
    raise Temporary("other jobs take room at the same time", category="busy", retry_after=1)


def _limits(work: StepContext) -> SourceLimits:
    table = work.context.config.source
    return SourceLimits(
        files=table.max_files,
        file_bytes=table.max_file_bytes,
        total_bytes=table.max_total_bytes,
        seconds=table.timeout_seconds,
    )


def _fetcher(work: StepContext) -> Fetcher:
    return Fetcher(allow_private=work.context.config.source.allow_private_addresses)


async def _described(work: StepContext) -> Space:
    async with _fetcher(work) as fetcher:
        space = await source.describe(fetcher, work.task.job.job_source_uri, limits=_limits(work))
    _refuse_stranger(work.task, space)
    await admit.admit(work, space)
    return space


async def _downloaded(work: StepContext, space: Space, folder: Path) -> source.Files:
    async with _fetcher(work) as fetcher:
        return await source.download(fetcher, space, folder, limits=_limits(work))


def _refuse_stranger(task: Task, space: Space) -> None:
    """The Space has to be the one that the job names, and its owner the one that the task has."""
    named = source_uuid(task.job.job_source_uri)
    if named and named != space.uuid:
        message = f"the source of Space {named} describes another Space, {space.uuid}"
        raise Permanent(message, category="not_the_owner")
    if task.wallet and task.wallet != space.wallet:
        message = f"the Space belongs to {space.wallet}, the task to {task.wallet}"
        raise Permanent(message, category="not_the_owner")


def _guarded(work: StepContext, coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a fetch, and stop it as soon as nobody wants it any more."""

    async def run() -> _T:
        fetching = asyncio.create_task(coroutine)
        try:
            while not fetching.done():
                await asyncio.wait({fetching}, timeout=_POLL_SECONDS)
                if not fetching.done():
                    await asyncio.to_thread(work.check)
            return fetching.result()
        finally:
            fetching.cancel()

    return asyncio.run(run())


def _predecessor(work: StepContext, space: Space) -> Task | None:
    """Return the task whose objects this Space has on the cluster now; wait for one that is ending.

    Raises:
        Permanent: It belongs to another wallet, or its Space came from somewhere else.
    """
    until = time.monotonic() + _PREDECESSOR_SECONDS
    while True:
        holder = work.context.store.field(redis_keys.HOLDERS, space.uuid)
        other = work.context.store.get(holder) if holder and holder != work.task.id else None
        if other is None or other.ended:
            return None
        if other.wallet != space.wallet:
            message = f"Space {space.uuid} runs for another wallet"
            raise Permanent(message, category="not_the_owner")
        if not other.stopping:
            return other
        work.pause(1, until=until, what=f"the end of job {other.id} of the same Space")


def _fallback(task: Task, predecessor: Task | None) -> Fallback | None:
    if predecessor is None:
        return task.fallback
    return Fallback(predecessor.id, predecessor.revision)


def _planned(
    work: StepContext, space: Space, files: source.Files, folder: Path
) -> tuple[StepContext, planning.Plan]:
    """Return what has to run, and the step with the task as it is after a build."""
    kind, names, bound = source.kind(space), _names(work.task, space), _bound(space)
    if kind.name == "image":
        return build.planned(work, space, folder, kind.path, names=names, hardware=bound)
    try:
        if kind.name == "model":
            return work, plan_step.planned(work, files[kind.path], names=names, hardware=bound)
        capabilities = context.configured_capabilities(work.context.config)
        return work, planning.plan(
            names, files, kind.path, hardware=bound, capabilities=capabilities
        )
    except ldl.InvalidDeployment as refused:
        raise planning.refusal(refused) from None


def _names(task: Task, space: Space) -> planning.WorkloadNames:
    return planning.WorkloadNames(
        task_id=task.id,
        task_uuid=task.task_uuid,
        space_uuid=space.uuid,
        space_name=space.name,
        wallet=space.wallet,
        host=task.host,
        revision=task.revision,
    )


def _bound(space: Space) -> Resources:
    try:
        return hardware.parse(
            space.hardware, gpu_count=space.gpu_count, storage_bytes=space.storage_bytes
        )
    except ldl.InvalidDeployment as refused:
        raise planning.refusal(refused) from None


def _claims(work: StepContext, workload: Workload, predecessor: Task | None) -> Iterator[Guard]:
    """Claim the host names that the file asks for beside the task's own.

    Raises:
        Permanent: One belongs to another running task.
    """
    mine = {work.task.id} | ({predecessor.id} if predecessor else set())
    for host in _hosts(workload) - {work.task.host}:
        holder = work.context.store.field(redis_keys.HOSTS, host)
        other = work.context.store.get(holder) if holder and holder not in mine else None
        if other and not other.ended:
            message = f"the host name {host} belongs to another task; remove it from accept"
            raise Permanent(message, category="host_taken")
        yield Guard(redis_keys.HOSTS, host, holder, work.task.id)


def _hosts(workload: Workload) -> set[str]:
    return {
        host
        for component in workload.components
        for container in component.containers
        for port in container.ports
        for host in port.hosts
    }
