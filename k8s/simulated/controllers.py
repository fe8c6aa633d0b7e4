"""The loop that brings the objects nearer to what they are asked to be."""

import asyncio
import time

from k8s.simulated import deletion, deployments
from k8s.simulated.kubelet import Kubelet
from k8s.simulated.store import Store

_PAUSE_SECONDS = 0.01
_LONGEST_WAIT_SECONDS = 3600.0


async def run(store: Store, kubelet: Kubelet) -> None:
    """Step for ever: whenever anything has changed, and when time alone changes something."""
    while True:
        version = store.version
        deletion.collect(store)
        due = [when for when in (deployments.step(store), kubelet.step()) if when is not None]
        await asyncio.sleep(_PAUSE_SECONDS)
        wait = min(due, default=time.time() + _LONGEST_WAIT_SECONDS) - time.time()
        await store.changed(version, wait)
