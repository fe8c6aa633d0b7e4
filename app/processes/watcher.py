"""The process `watcher`: turns pod events into states of tasks, and delivers callbacks."""

import asyncio
import contextlib
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence

import structlog

from app.admission.inventory_snapshot import SnapshotLoop
from app.context import Context
from app.errors import Temporary
from app.lagrange.callbacks import Sender
from app.processes.heartbeat_file import HeartbeatFile
from app.processes.log_reader import LogReader
from app.tasks.observe import Observation
from k8s.api import watch
from k8s.api.objects import Deployment, Object, Pod
from k8s.naming import labels

log = structlog.get_logger()

_PATHS: dict[type[Object], str] = {Pod: "/api/v1/pods", Deployment: "/apis/apps/v1/deployments"}
# Pods of v0.3.0 have no other label.
_SELECTORS: dict[type[Object], str] = {Pod: labels.SPACE, Deployment: labels.MANAGED_SELECTOR}
_GATHER_SECONDS = 0.1
_TICK_SECONDS = 1.0
_GOODBYE_SECONDS = 5

Message = tuple[type[Object], watch.Event[Object]]


def serve(context: Context, heartbeat: HeartbeatFile) -> None:
    """Watch and deliver until SIGTERM; exit with 1 when a thread dies."""
    if not asyncio.run(_serve(context, heartbeat)):
        sys.exit(1)


async def _serve(context: Context, heartbeat: HeartbeatFile) -> bool:
    """Return False when a thread died."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    stopped = threading.Event()
    threads = _threads(context, heartbeat, stopped)
    for thread in threads:
        thread.start()
    supervision = asyncio.create_task(_supervise(threads, stopping))
    sender = Sender(context.async_store, context.config.lag, *context.callback_keys)
    await sender.run(stopping)
    stopped.set()
    for thread in threads[-2:]:
        await asyncio.to_thread(thread.join, _GOODBYE_SECONDS)
    return await supervision


def _threads(
    context: Context, heartbeat: HeartbeatFile, stopped: threading.Event
) -> list[threading.Thread]:
    """Return the threads that block on the cluster; the last two have work to finish at the end."""
    changed = threading.Event()
    messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
    parts: list[tuple[str, Callable[..., None], tuple[object, ...]]] = [
        *(
            (f"watch of {kind.__name__}", _follow, (context, kind, messages, stopped))
            for kind in _PATHS
        ),
        ("inventory snapshot", SnapshotLoop(context).run, (changed, stopped)),
        ("logs", LogReader(context).run, (stopped,)),
        ("observation", _observe, (context, messages, changed, stopped, heartbeat)),
    ]
    return [
        threading.Thread(target=target, args=args, name=name, daemon=True)
        for name, target, args in parts
    ]


async def _supervise(threads: Sequence[threading.Thread], stopping: asyncio.Event) -> bool:
    """End the process when a thread has died, so that it is restarted; return False then."""
    while not stopping.is_set():
        if dead := [thread.name for thread in threads if not thread.is_alive()]:
            log.error("threads died; the process exits to be restarted", threads=dead)
            stopping.set()
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TICK_SECONDS):
                await stopping.wait()
    return True


def _follow(
    context: Context,
    kind: type[Object],
    messages: "queue.SimpleQueue[Message]",
    stopped: threading.Event,
) -> None:
    def on_error(error: str, seconds: float) -> None:
        log.warning("watch interrupted", error=error, again_in_seconds=round(seconds, 1))

    path, selector = _PATHS[kind], _SELECTORS[kind]
    for event in watch.follow(
        context.cluster, path, kind, selector=selector, stopped=stopped, on_error=on_error
    ):
        messages.put((kind, event))


def _observe(
    context: Context,
    messages: "queue.SimpleQueue[Message]",
    changed: threading.Event,
    stopped: threading.Event,
    heartbeat: HeartbeatFile,
) -> None:
    """Take in events in small batches, and look at the tasks that they concern."""
    observation = Observation(context)
    while not stopped.is_set():
        heartbeat.touch()
        with contextlib.suppress(queue.Empty):
            observation.take(*messages.get(timeout=_TICK_SECONDS))
            changed.set()
            deadline = time.monotonic() + _GATHER_SECONDS
            while (remaining := deadline - time.monotonic()) > 0:
                observation.take(*messages.get(timeout=remaining))
        try:
            observation.look(time.time())
        except Temporary as error:
            log.warning("observation postponed", error=error.message)
            stopped.wait(_TICK_SECONDS)
