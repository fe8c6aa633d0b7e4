"""The ledger of reservations in Redis: a hash of holder → slots, and its version."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from app.store import Guard, redis_keys
from k8s.inventory.quantities import ResourceAmounts

_VERSION = "version"
Slots = tuple["Slot", ...]


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """Room for one pod.

    Attributes:
        name: Unique; kept when the slot is inherited.
        component: The value of the label that the component's pods carry.
        node: Its node.
        amounts: The pod's requests.
    """

    name: str
    component: str
    node: str
    amounts: ResourceAmounts


_decoder = msgspec.json.Decoder(tuple[Slot, ...])


@dataclass(frozen=True, slots=True)
class Ledger:
    """All slots, by holder, at one moment.

    Attributes:
        held: Holder → its slots.
        version: As read; a reservation fails when Redis has another by then. None: nothing yet.
    """

    held: Mapping[str, Slots] = field(default_factory=dict)
    version: str | None = None

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> "Ledger":
        """Decode the hash `redis_keys.RESERVATIONS`."""
        held = {name: _decoder.decode(text) for name, text in fields.items() if name != _VERSION}
        return cls(held, fields.get(_VERSION))

    def of(self, task_id: str, revision: int) -> Slots:
        """Return the slots of a revision of a task."""
        return self.held.get(redis_keys.holder(task_id, revision), ())

    def without(self, task_id: str, revision: int) -> "Ledger":
        """Return the ledger without the slots of one revision."""
        name = redis_keys.holder(task_id, revision)
        return Ledger({key: held for key, held in self.held.items() if key != name}, self.version)

    def reserving(self, task_id: str, revision: int, slots: Slots) -> Iterator[Guard]:
        """Yield the guards that write slots down if nothing else was reserved since.

        Slots that are held as they are have to be held still, whatever else was reserved.
        """
        name = redis_keys.holder(task_id, revision)
        before = self.held.get(name)
        was = None if before is None else _encoded(before)
        if before != slots:
            yield Guard(
                redis_keys.RESERVATIONS, _VERSION, self.version, str(int(self.version or 0) + 1)
            )
        yield Guard(redis_keys.RESERVATIONS, name, was, _encoded(slots))


def _encoded(slots: Slots) -> str:
    return msgspec.json.encode(slots).decode()
