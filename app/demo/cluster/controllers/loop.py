"""The loop that reconciles objects with their specifications."""

import asyncio
import logging
import time

from app.demo.cluster import deletion
from app.demo.cluster.controllers import deployments
from app.demo.cluster.controllers.kubelet import Kubelet
from app.demo.cluster.object_store import ObjectStore

_PAUSE_SECONDS = 0.01
_LONGEST_WAIT_SECONDS = 3600.0
_AFTER_FAILURE_SECONDS = 1.0

_log = logging.getLogger(__name__)


async def run(store: ObjectStore, kubelet: Kubelet) -> None:
    """Step for ever: whenever anything has changed, and when time alone changes something."""
    while True:
        version = store.version
        try:
            due = _step(store, kubelet)
        except Exception:  # noqa: BLE001 - the top of the loop: one bad object must not end it.
            _log.exception("a controller failed and is tried again")
            due = time.time() + _AFTER_FAILURE_SECONDS
        await asyncio.sleep(_PAUSE_SECONDS)
        await store.changed(version, due - time.time())


def _step(store: ObjectStore, kubelet: Kubelet) -> float:
    """Let every controller do its part; the unix time at which to do so again at the latest."""
    deletion.collect(store)
    due = [when for when in (deployments.step(store), kubelet.step()) if when is not None]
    return min(due, default=time.time() + _LONGEST_WAIT_SECONDS)
