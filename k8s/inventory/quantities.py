"""Amounts of what nodes have and pods take: whole numbers, exact."""

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
    """How much of each resource.

    Attributes:
        cpu_millis: Thousandths of a core.
        memory_bytes: Memory.
        storage_bytes: Ephemeral storage.
        gpus: NVIDIA GPUs, of whichever product.
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
        """The names of the resources of which there is less free than this."""
        return tuple(
            name
            for name in NAMES
            if getattr(self, name) and getattr(self, name) > getattr(free, name)
        )

    def fits(self, free: "ResourceAmounts") -> bool:
        """Whether there is as much free of everything that this asks for."""
        return not self.missing(free)


NAMES = tuple(field.name for field in fields(ResourceAmounts))


def total(parts: Iterable[ResourceAmounts]) -> ResourceAmounts:
    """The sum."""
    cpu = memory = storage = gpus = pods = 0
    for part in parts:
        cpu += part.cpu_millis
        memory += part.memory_bytes
        storage += part.storage_bytes
        gpus += part.gpus
        pods += part.pods
    return ResourceAmounts(
        cpu_millis=cpu, memory_bytes=memory, storage_bytes=storage, gpus=gpus, pods=pods
    )


def maximum(one: ResourceAmounts, other: ResourceAmounts) -> ResourceAmounts:
    """Of each resource the larger amount."""
    return ResourceAmounts(
        **{name: max(getattr(one, name), getattr(other, name)) for name in NAMES}
    )


def parse_requests(quantities: Quantities) -> ResourceAmounts:
    """What a request says, rounded up as the scheduler does.

    Raises:
        ValueError: A quantity is none.
    """
    return _amounts(quantities, ceil)


def parse_allocatable(quantities: Quantities) -> ResourceAmounts:
    """What a node says it has, rounded down.

    Raises:
        ValueError: A quantity is none.
    """
    return _amounts(quantities, floor)


def _amounts(quantities: Quantities, whole: Callable[[Fraction], int]) -> ResourceAmounts:
    def number(name: str, times: int = 1) -> int:
        return whole(parse(quantities.get(name, 0)) * times)

    return ResourceAmounts(
        cpu_millis=number("cpu", 1000),
        memory_bytes=number("memory"),
        storage_bytes=number("ephemeral-storage"),
        gpus=number(GPU),
        pods=number("pods"),
    )


def parse(text: str | float) -> Fraction:
    """The number that a Kubernetes quantity (`100m`, `2`, `16Gi`, `1e3`) stands for.

    Raises:
        ValueError: It is none.
    """
    match = _QUANTITY.fullmatch(str(text).strip())
    if match is None:
        raise ValueError(f"{str(text)[:100]!r} is no quantity")
    return Fraction(match["number"]) * _SUFFIXES.get(match["suffix"], Fraction(1))
