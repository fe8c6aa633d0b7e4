"""The step from an accepted job to a plan: fetch the Space, check whose it is, read its file."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from app import context, ldl, planning, sources, transitions
from app.errors import Permanent
from app.ldl import hardware
from app.lifecycle.work import Work
from app.models import Fallback, State, Task
from app.schema import source_uuid
from app.sources import SourceLimits, Space
from app.store import Guard, keys
from app.store.synchronous import encoded
from app.transport import Fetcher
from k8s.workload import Workload

_T = TypeVar("_T")
_POLL_SECONDS = 0.5
_PREDECESSOR_SECONDS = 60
NOT_OFFERED = {
    "image": "this Space has to be built from its Dockerfile, which this provider does not offer;"
    " add a deploy.yaml that names a published image",
    "model": "this Space serves a model by model-setting.json, which this provider does not offer;"
    " add a deploy.yaml that names an image which serves it",
}


def fetch(work: Work) -> None:
    """Fetch, check and plan; the task then says what has to run and waits to be applied.

    Raises:
        Permanent: The Space cannot be had, is another's, or its file is refused.
        Superseded: The task was changed meanwhile.
        Temporary: Try again later.
    """
    task = work.task
    if task.state is not State.FETCHING:
        work.commit(transitions.fetching(task, now=time.time()))
        return
    folder = Path(tempfile.mkdtemp(prefix="space-", dir=_scratch(work)))
    try:
        space, files = _guarded(work, _fetched(work, folder))
        predecessor = _predecessor(work, space)
        plan = _planned(work, space, files)
        work.commit(
            transitions.deploying(
                task,
                now=time.time(),
                workload=encoded(plan.workload),
                guards=_claims(work, plan.workload, predecessor),
                notes=plan.warnings,
                space_uuid=space.uuid,
                space_name=space.name,
                wallet=space.wallet,
                hardware=space.hardware,
                fallback=_fallback(task, predecessor),
            )
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _scratch(work: Work) -> Path:
    folder = work.context.folder / "scratch"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


async def _fetched(work: Work, folder: Path) -> tuple[Space, sources.Files]:
    table = work.context.config.source
    limits = SourceLimits(
        files=table.max_files,
        file_bytes=table.max_file_bytes,
        total_bytes=table.max_total_bytes,
        seconds=table.timeout_seconds,
    )
    url = work.task.job.job_source_uri
    async with Fetcher(allow_private=table.allow_private_addresses) as fetcher:
        space = await sources.describe(fetcher, url, limits=limits)
        _refuse_stranger(work.task, space)
        kind = sources.kind(space)
        if kind.name != "ldl":
            raise Permanent(NOT_OFFERED[kind.name], category="not_offered")
        files = await sources.download(fetcher, space, folder / "files", limits=limits)
    return space, files


def _refuse_stranger(task: Task, space: Space) -> None:
    """The Space has to be the one that the job names, and its owner the one that the task has."""
    named = source_uuid(task.job.job_source_uri)
    if named and named != space.uuid:
        message = f"the source of Space {named} describes another Space, {space.uuid}"
        raise Permanent(message, category="not_the_owner")
    if task.wallet and task.wallet != space.wallet:
        message = f"the Space belongs to {space.wallet}, the task to {task.wallet}"
        raise Permanent(message, category="not_the_owner")


def _guarded(work: Work, coroutine: Coroutine[Any, Any, _T]) -> _T:
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


def _predecessor(work: Work, space: Space) -> Task | None:
    """Return the task whose objects this Space has on the cluster now; wait for one that is ending.

    Raises:
        Permanent: It belongs to another wallet, or its Space came from somewhere else.
    """
    until = time.monotonic() + _PREDECESSOR_SECONDS
    while True:
        holder = work.context.store.field(keys.HOLDERS, space.uuid)
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


def _planned(work: Work, space: Space, files: sources.Files) -> planning.Plan:
    task = work.task
    names = planning.Names(
        task_id=task.id,
        task_uuid=task.task_uuid,
        space_uuid=space.uuid,
        space_name=space.name,
        wallet=space.wallet,
        host=task.host,
        revision=task.revision,
    )
    try:
        bound = hardware.parse(
            space.hardware, gpu_count=space.gpu_count, storage_bytes=space.storage_bytes
        )
        return planning.plan(
            names,
            files,
            sources.kind(space).path,
            hardware=bound,
            offer=context.offer(work.context.config),
        )
    except ldl.Refused as refused:
        raise planning.refusal(refused) from None


def _claims(work: Work, workload: Workload, predecessor: Task | None) -> Iterator[Guard]:
    """Claim the host names that the file asks for beside the task's own.

    Raises:
        Permanent: One belongs to another running task.
    """
    mine = {work.task.id} | ({predecessor.id} if predecessor else set())
    for host in _hosts(workload) - {work.task.host}:
        holder = work.context.store.field(keys.HOSTS, host)
        other = work.context.store.get(holder) if holder and holder not in mine else None
        if other and not other.ended:
            message = f"the host name {host} belongs to another task; remove it from accept"
            raise Permanent(message, category="host_taken")
        yield Guard(keys.HOSTS, host, holder, work.task.id)


def _hosts(workload: Workload) -> set[str]:
    return {
        host
        for component in workload.components
        for container in component.containers
        for port in container.ports
        for host in port.hosts
    }
