"""`resource_policy.json`: the least that has to be free for the provider to take on more.

As v0.3.0 has it (protocol section 4): `{"cpu": {"quota": 2}, "gpu": [{"name": "Nvidia-3080",
"quota": 1}], "memory": {"quota": 4, "unit": "GiB"}, "storage": {"quota": 50, "unit": "GiB"}}`.
CPU is in cores. What is left out, and a file that is not there, asks for nothing.
"""

from pathlib import Path

import msgspec

from app.admission.reservations.free import free
from app.admission.reservations.ledger import Ledger
from app.errors import ConfigError
from k8s.inventory import gpus
from k8s.inventory.inventory import Inventory
from k8s.inventory.quantities import ResourceAmounts, total

FILE = "resource_policy.json"
_MAX_BYTES = 1 << 20
_UNITS: dict[str, int] = {
    **{f"{letter}i{b}": 1024**power for power, letter in enumerate("KMGT", 1) for b in ("", "B")},
    **{f"{letter}{b}": 1000**power for power, letter in enumerate("KMGT", 1) for b in ("", "B")},
    "B": 1,
}
_BY_FOLD = {unit.casefold(): size for unit, size in _UNITS.items()}


class Cores(msgspec.Struct, frozen=True):
    """Of CPU, in cores."""

    quota: float = 0


class Size(msgspec.Struct, frozen=True):
    """Of memory or storage, in `unit`."""

    quota: float = 0
    unit: str = "GiB"

    @property
    def bytes(self) -> float:
        """The quota in bytes."""
        return self.quota * _BY_FOLD[self.unit.strip().casefold()]


class Gpus(msgspec.Struct, frozen=True):
    """Of one GPU product, however it is spelled."""

    name: str
    quota: int = 0


class Policy(msgspec.Struct, frozen=True):
    """The least that has to stay free; nothing by default."""

    cpu: Cores = Cores()
    gpu: tuple[Gpus, ...] = ()
    memory: Size = Size()
    storage: Size = Size()


def load(folder: Path) -> Policy:
    """Return the policy of a provider's folder.

    Raises:
        ConfigError: The file cannot be read, or names the key that is wrong.
    """
    path = folder / FILE
    try:
        with path.open("rb") as file:
            policy = msgspec.json.decode(file.read(_MAX_BYTES), type=Policy)
    except FileNotFoundError:
        return Policy()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path}: {error}") from error
    for name, size in (("memory", policy.memory), ("storage", policy.storage)):
        if size.unit.strip().casefold() not in _BY_FOLD:
            raise ConfigError(f"{path}: {name}.unit: {size.unit!r} is none of {', '.join(_UNITS)}")
    return policy


def active(inventory: Inventory, reservations: Ledger, policy: Policy) -> bool:
    """Tell whether more can be taken on: what is free is above every quota.

    What is reserved is not free, nor is anything on nodes that tenants do not get to. A quota of
    0 for GPUs, or for a product that no node has, asks for nothing; without any CPU, memory or
    storage left the provider is inactive whatever the quotas are.
    """
    left = free(inventory, reservations)
    whole = total(left.values())
    if whole.cpu_millis <= policy.cpu.quota * 1000:
        return False
    if whole.memory_bytes <= policy.memory.bytes or whole.storage_bytes <= policy.storage.bytes:
        return False
    return all(_spare(quota, inventory, left) for quota in policy.gpu)


def _spare(quota: Gpus, inventory: Inventory, left: dict[str, ResourceAmounts]) -> bool:
    nodes = [
        node.name
        for node in inventory.schedulable
        if any(gpus.is_same_model(quota.name, product) for product, _ in node.products)
    ]
    if not nodes or quota.quota <= 0:
        return True
    return sum(left[name].gpus for name in nodes) > quota.quota
