"""A snapshot of the inventory in Redis, for readers that must not wait for the cluster."""

import threading
import time
from datetime import timedelta

import msgspec
import structlog

from app.context import Context
from app.errors import Temporary
from app.store import redis_keys
from k8s.api.errors import ClusterError
from k8s.inventory import gpu_exporter, inventory
from k8s.inventory.gpu_exporter import GpuFacts
from k8s.inventory.inventory import Inventory

log = structlog.get_logger()

KEPT = timedelta(minutes=10)
VALID = timedelta(seconds=60)
_EVERY_SECONDS = 5.0
_AT_MOST_EVERY_SECONDS = 1.0
_FACTS_KEPT_SECONDS = 60.0


class InventorySnapshot(msgspec.Struct, frozen=True):
    """The inventory at one moment, in unix seconds."""

    at: float
    inventory: Inventory

    def is_valid(self, now: float) -> bool:
        """Tell whether it is recent enough for a refusal of a job."""
        return abs(now - self.at) <= VALID.total_seconds()


_decoder = msgspec.json.Decoder(InventorySnapshot)


def read(content: bytes | None) -> InventorySnapshot | None:
    """Decode a snapshot; None when there is none, or another version wrote it."""
    if content is None:
        return None
    try:
        return _decoder.decode(content)
    except msgspec.DecodeError:
        return None


class SnapshotLoop:
    """Takes snapshots in a loop; the exporters' logs change slowly and are read less often."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._facts: tuple[float, dict[str, GpuFacts]] | None = None

    def run(self, changed: threading.Event, stopped: threading.Event) -> None:
        """Take a snapshot every few seconds, and soon after `changed` is set."""
        while not stopped.is_set():
            changed.clear()
            try:
                self.take()
            except (ClusterError, Temporary) as error:
                log.warning("inventory not read", error=str(error))
            stopped.wait(_AT_MOST_EVERY_SECONDS)
            changed.wait(_EVERY_SECONDS - _AT_MOST_EVERY_SECONDS)

    def take(self) -> None:
        """Read the cluster's inventory and write it to Redis.

        Raises:
            ClusterError: The cluster is away, or refuses.
            Temporary: Redis is away.
        """
        at = time.time()
        seen = inventory.read(self._context.cluster, facts=self._exported())
        content = msgspec.json.encode(InventorySnapshot(at, seen))
        self._context.store.set_value(redis_keys.INVENTORY, content, KEPT)

    def _exported(self) -> dict[str, GpuFacts]:
        known = self._facts
        if known is None or time.monotonic() - known[0] > _FACTS_KEPT_SECONDS:
            known = time.monotonic(), gpu_exporter.read(self._context.cluster)
            self._facts = known
        return known[1]
