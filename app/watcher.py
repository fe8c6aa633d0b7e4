"""The process `watcher`: what the cluster says becomes the state of tasks, and callbacks go out."""

import asyncio
import contextlib
import queue
import signal
import threading
import time

import structlog

from app.callbacks import Sender
from app.context import Context
from app.errors import Temporary
from app.logreader import LogReader
from app.observation import Observation
from app.stock import Taker
from k8s import labels, watch
from k8s.objects import Deployment, Object, Pod

log = structlog.get_logger()

_PATHS: dict[type[Object], str] = {Pod: "/api/v1/pods", Deployment: "/apis/apps/v1/deployments"}
_GATHER_SECONDS = 0.1
_TICK_SECONDS = 1.0
_GOODBYE_SECONDS = 5

Message = tuple[type[Object], watch.Event[Object]]


def serve(context: Context) -> None:
    """Watch and deliver until SIGTERM."""
    asyncio.run(_serve(context))


async def _serve(context: Context) -> None:
    stopping = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    stopped = threading.Event()
    changed = threading.Event()
    messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threads = [
        threading.Thread(target=_follow, args=(context, kind, messages, stopped), daemon=True)
        for kind in _PATHS
    ]
    stock = Taker(context)
    threads.append(threading.Thread(target=stock.run, args=(changed, stopped), daemon=True))
    threads.append(threading.Thread(target=LogReader(context).run, args=(stopped,), daemon=True))
    threads.append(
        threading.Thread(target=_observe, args=(context, messages, changed, stopped), daemon=True)
    )
    for thread in threads:
        thread.start()
    sender = Sender(context.async_store, context.config.lag, context.identity.signing_key)
    await sender.run(stopping)
    stopped.set()
    for thread in threads[-2:]:
        await asyncio.to_thread(thread.join, _GOODBYE_SECONDS)


def _follow(
    context: Context,
    kind: type[Object],
    messages: "queue.SimpleQueue[Message]",
    stopped: threading.Event,
) -> None:
    def on_trouble(error: str, seconds: float) -> None:
        log.warning("watch interrupted", error=error, again_in_seconds=round(seconds, 1))

    path = _PATHS[kind]
    for event in watch.follow(
        context.cluster, path, kind, selector=labels.OURS, stopped=stopped, on_trouble=on_trouble
    ):
        messages.put((kind, event))


def _observe(
    context: Context,
    messages: "queue.SimpleQueue[Message]",
    changed: threading.Event,
    stopped: threading.Event,
) -> None:
    """Take in what comes, a little at once, and look at the tasks that it is about."""
    observation = Observation(context)
    while not stopped.is_set():
        with contextlib.suppress(queue.Empty):
            observation.take(*messages.get(timeout=_TICK_SECONDS))
            changed.set()
            deadline = time.monotonic() + _GATHER_SECONDS
            while (left := deadline - time.monotonic()) > 0:
                observation.take(*messages.get(timeout=left))
        try:
            observation.look(time.time())
        except Temporary as error:
            log.warning("observation postponed", error=error.message)
            stopped.wait(_TICK_SECONDS)
