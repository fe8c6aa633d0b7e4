"""Resource quantities of Kubernetes, parsed exactly and summed as whole numbers."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from math import ceil, floor

GPU = "nvidia.com/gpu"

_SUFFIXES = {
    **{f"{letter}i": Fraction(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
    **{letter: Fraction(1000) ** power for power, letter in enumerate("kMGTPE", 1)},
    **{letter: Fraction(1000) ** -power for power, letter in enumerate("mun", 1)},
}
_QUANTITY = re.compile(
    r"(?P<number>-?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,2})?)"
    r"(?P<suffix>[KMGTPE]i|[numkMGTPE]|)"
)

Quantities = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceAmounts:
    """An amount of each resource.

    Attributes:
        cpu_millis: Thousandths of a core.
        memory_bytes: Memory.
        storage_bytes: Ephemeral storage.
        gpus: NVIDIA GPUs of any product.
        pods: Pods.
    """

    cpu_millis: int = 0
    memory_bytes: int = 0
    storage_bytes: int = 0
    gpus: int = 0
    pods: int = 0

    def __add__(self, other: "ResourceAmounts") -> "ResourceAmounts":
        return ResourceAmounts(
            **{name: getattr(self, name) + getattr(other, name) for name in NAMES},
        )

    def __sub__(self, other: "ResourceAmounts") -> "ResourceAmounts":
        return ResourceAmounts(
            **{name: getattr(self, name) - getattr(other, name) for name in NAMES},
        )

    def missing(self, free: "ResourceAmounts") -> tuple[str, ...]:
        """Return the names of the resources of which less is free than this."""
        return tuple(
            name
            for name in NAMES
            if getattr(self, name) and getattr(self, name) > getattr(free, name)
        )

    def fits(self, free: "ResourceAmounts") -> bool:
        """Return whether enough of each resource is free."""
        return not self.missing(free)


NAMES = tuple(field.name for field in fields(ResourceAmounts))


def total(amounts: Iterable[ResourceAmounts]) -> ResourceAmounts:
    """Return the sum of amounts."""
    cpu = memory = storage = gpus = pods = 0
    for amount in amounts:
        cpu += amount.cpu_millis
        memory += amount.memory_bytes
        storage += amount.storage_bytes
        gpus += amount.gpus
        pods += amount.pods
    return ResourceAmounts(
        cpu_millis=cpu, memory_bytes=memory, storage_bytes=storage, gpus=gpus, pods=pods
    )


def maximum(amounts: ResourceAmounts, other: ResourceAmounts) -> ResourceAmounts:
    """Return the larger amount of each resource."""
    return ResourceAmounts(
        **{name: max(getattr(amounts, name), getattr(other, name)) for name in NAMES}
    )


def parse_requests(quantities: Quantities) -> ResourceAmounts:
    """Parse the requests of a container or pod, rounded up as the scheduler does.

    Raises:
        ValueError: A quantity is malformed.
    """
    return _parse(quantities, ceil)


def parse_allocatable(quantities: Quantities) -> ResourceAmounts:
    """Parse the allocatable resources of a node, rounded down.

    Raises:
        ValueError: A quantity is malformed.
    """
    return _parse(quantities, floor)


def _parse(quantities: Quantities, rounded: Callable[[Fraction], int]) -> ResourceAmounts:
    def number(name: str, times: int = 1) -> int:
        return rounded(parse(quantities.get(name, 0)) * times)

    return ResourceAmounts(
        cpu_millis=number("cpu", 1000),
        memory_bytes=number("memory"),
        storage_bytes=number("ephemeral-storage"),
        gpus=number(GPU),
        pods=number("pods"),
    )


def parse(text: str | float) -> Fraction:
    """Parse a Kubernetes quantity (`100m`, `2`, `16Gi`, `1e3`).

    Raises:
        ValueError: It is malformed.
    """
    match = _QUANTITY.fullmatch(str(text).strip())
    if match is None:
        raise ValueError(f"{str(text)[:100]!r} is no quantity")
    return Fraction(match["number"]) * _SUFFIXES.get(match["suffix"], Fraction(1))
