"""The steps from an accepted job to a reserved workload: download the Space, check its owner."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from app.errors import Permanent
from app.net.http_client import Fetcher
from app.spaces import scratch, source
from app.spaces.source import SourceLimits, Space
from app.store.records import Task
from app.tasks import transitions
from app.tasks.step import StepContext
from app.tasks.steps import admit, build, plan, reserve
from k8s.manifests.scope import Manifest

_T = TypeVar("_T")
_POLL_SECONDS = 0.5


def begin(step: StepContext) -> None:
    """Report that the Space is being fetched, before anything is.

    Raises:
        Superseded: The task was changed meanwhile.
        Temporary: Redis is away.
    """
    step.commit(transitions.fetching(step.task, now=time.time()))


def fetch(step: StepContext) -> Sequence[Manifest]:
    """Fetch, check, build where that is needed, plan and reserve; the workload is applied next.

    Returns:
        The manifests of the workload, as they were counted.

    Raises:
        Permanent: The Space cannot be had, is another's, its file is refused, its build fails.
        Superseded: The task was changed meanwhile.
        Temporary: Try again later.
    """
    with ExitStack() as held:
        folder = held.enter_context(scratch.folder(step.context.folder / "scratch", "space"))
        space = _while_wanted(step, _described(step))
        if source.kind(space).name == "image":
            step = reserve.before_build(step, space, plan.unbuilt(step.task, space))
            held.enter_context(build.turn(step))
        files = _while_wanted(step, _downloaded(step, space, folder / "files"))
        reserve.predecessor(step, space)
        step, planned = plan.planned(step, space, files, folder)
        return reserve.commit(step, space, planned)


def _limits(step: StepContext) -> SourceLimits:
    table = step.context.config.source
    return SourceLimits(
        files=table.max_files,
        file_bytes=table.max_file_bytes,
        total_bytes=table.max_total_bytes,
        seconds=table.timeout_seconds,
    )


def _fetcher(step: StepContext) -> Fetcher:
    config = step.context.config
    return Fetcher(
        allow_private=config.source.allow_private_addresses, closed=config.cluster.closed_networks
    )


async def _described(step: StepContext) -> Space:
    uri, origins = step.task.job.job_source_uri, step.context.config.source_origins
    async with _fetcher(step) as fetcher:
        space = await source.describe(fetcher, uri, origins=origins, limits=_limits(step))
    _refuse_stranger(step.task, space)
    await admit.admit(step, space)
    return space


async def _downloaded(step: StepContext, space: Space, folder: Path) -> source.Files:
    async with _fetcher(step) as fetcher:
        return await source.download(fetcher, space, folder, limits=_limits(step))


def _refuse_stranger(task: Task, space: Space) -> None:
    """The owner of the Space has to be the one that the task has."""
    if task.wallet and task.wallet != space.wallet:
        message = f"the Space belongs to {space.wallet}, the task to {task.wallet}"
        raise Permanent(message, category="not_the_owner")


def _while_wanted(step: StepContext, coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a download, and cancel it as soon as the task is superseded."""

    async def run() -> _T:
        download = asyncio.create_task(coroutine)
        try:
            while not download.done():
                await asyncio.wait({download}, timeout=_POLL_SECONDS)
                if not download.done():
                    await asyncio.to_thread(step.check)
            return download.result()
        finally:
            download.cancel()

    return asyncio.run(run())
