"""Quantities of CPU, memory and storage, from every spelling that has a single meaning."""

import re
from decimal import ROUND_CEILING, Decimal

MIB = 1 << 20
MAX_CPU_MILLIS = 10_000_000
MIN_BYTES = MIB
MAX_BYTES = 1 << 50

_CPU = re.compile(r"([0-9]{1,9}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})(m?)")
_SIZE = re.compile(
    r"([0-9]{1,16}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})\s*(?:([kmgtp])(i?))?(b?)", re.IGNORECASE
)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def cpu_millis(written: str) -> int:
    """Thousandths of a core from `0.5`, `2` or `100m`, rounded up.

    Raises:
        ValueError: It is not such a number, zero, or implausibly large; the message says which.
    """
    match = _CPU.fullmatch(written.strip())
    if not match:
        raise ValueError("must be a number of cores, such as 0.5, 2 or 100m")
    amount = Decimal(match[1]) * (1 if match[2] else 1000)
    millis = int(amount.to_integral_value(ROUND_CEILING))
    if millis == 0:
        raise ValueError("must be more than 0 cores")
    if millis > MAX_CPU_MILLIS:
        raise ValueError(f"must be at most {MAX_CPU_MILLIS // 1000} cores")
    return millis


def size_bytes(written: str) -> int:
    """Bytes from `512Mi`, `4Gb`, `2.5gi` or `1073741824`, rounded up.

    Raises:
        ValueError: It is not such a size, or implausibly small or large; the message says which.
    """
    match = _SIZE.fullmatch(written.strip())
    if not match:
        raise ValueError("must be a size, such as 512Mi, 4Gi or 10G")
    base = 1024 if match[3] else 1000
    amount = Decimal(match[1]) * base ** _POWERS[(match[2] or "").lower()]
    size = int(amount.to_integral_value(ROUND_CEILING))
    if size == 0:
        raise ValueError("must be more than 0")
    if size < MIN_BYTES:
        raise ValueError(f"is {size} bytes, too little for anything to run; is a unit missing?")
    if size > MAX_BYTES:
        raise ValueError("must be at most 1Pi")
    return size


def cores(millis: int) -> str:
    """Thousandths of a core, formatted as cores: `0.5`, `2`."""
    return f"{Decimal(millis) / 1000:f}"


def size(amount: int) -> str:
    """Bytes, formatted with a binary unit: `4Gi`, `1.5Gi`, `512Mi`."""
    for power, unit in ((40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")):
        if amount >= 1 << power:
            return f"{amount / (1 << power):.2f}".rstrip("0").rstrip(".") + unit
    return str(amount)
