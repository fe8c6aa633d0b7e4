"""Quantities of resources: `100m`, `2`, `16Gi`, `1e3`."""

import re
from collections.abc import Iterable
from fractions import Fraction

from app.demo.cluster.resources import Json

_SUFFIXES = {
    **{f"{letter}i": Fraction(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
    **{letter: Fraction(1000) ** power for power, letter in enumerate("kMGTPE", 1)},
    **{letter: Fraction(1000) ** -power for power, letter in enumerate("mun", 1)},
}

_QUANTITY = re.compile(
    r"(?P<number>[0-9]{1,20}(?:\.[0-9]{0,20})?(?:[eE][0-9]{1,2})?)(?P<suffix>[kKMGTPE]i|[numkMGTPE]|)"
)

Amounts = dict[str, Fraction]


def parse(text: str | int) -> Fraction:
    """The number that a quantity stands for; raises `ValueError` when it is none."""
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{str(text)[:100]!r} is no quantity")
    return Fraction(match["number"]) * _SUFFIXES.get(match["suffix"], Fraction(1))


def write(amount: Fraction) -> str:
    """The shortest usual form of an amount."""
    if amount.denominator != 1:
        return f"{int(amount * 1000)}m"
    for suffix in ("Gi", "Mi", "Ki"):
        if amount and amount % _SUFFIXES[suffix] == 0:
            return f"{amount // _SUFFIXES[suffix]}{suffix}"
    return str(amount)


def of_pod(pod: Json, side: str = "requests") -> Amounts:
    """What a pod's containers ask for in sum, or are limited to (`side="limits"`)."""
    sidecars = [one for one in pod["spec"].get("initContainers", []) if one.get("restartPolicy")]
    return total(_of_container(one, side) for one in (*sidecars, *pod["spec"]["containers"]))


def _of_container(container: Json, side: str) -> Amounts:
    resources = container.get("resources") or {}
    limits = resources.get("limits") or {}
    asked = limits | (resources.get("requests") or {}) if side == "requests" else limits
    return {name: parse(amount) for name, amount in asked.items()}


def total(parts: Iterable[Amounts]) -> Amounts:
    """The sums, name by name."""
    found: Amounts = {}
    for part in parts:
        for name, amount in part.items():
            found[name] = found.get(name, Fraction(0)) + amount
    return found
