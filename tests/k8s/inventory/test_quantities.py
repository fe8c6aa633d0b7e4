"""Resource quantities, parsed and summed exactly."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s.inventory import quantities
from k8s.inventory.quantities import ResourceAmounts


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("100m", Fraction(1, 10)),
        ("2", Fraction(2)),
        ("0.5", Fraction(1, 2)),
        (".5", Fraction(1, 2)),
        ("1e3", Fraction(1000)),
        ("1E3", Fraction(1000)),
        ("1E", Fraction(10**18)),
        ("1Ei", Fraction(1 << 60)),
        ("16Gi", Fraction(16 << 30)),
        ("1500u", Fraction(3, 2000)),
        ("129e6", Fraction(129_000_000)),
        ("1.5Gi", Fraction(3 << 29)),
        (4, Fraction(4)),
    ],
)
def test_quantities_are_exact(text: str | int, number: Fraction) -> None:
    """Every spelling of Kubernetes is parsed exactly."""
    assert quantities.parse(text) == number


@pytest.mark.parametrize(
    "text",
    ["", "x", "Gi", "1 Gi", "1gi", "--1", "1/0", "nan", "1e999", "m", "0x10", "1" * 40],
)
def test_what_is_no_quantity(text: str) -> None:
    """Malformed quantities are errors, whatever their size."""
    with pytest.raises(ValueError, match="is no quantity"):
        quantities.parse(text)


def test_requests_are_rounded_up_and_nodes_down() -> None:
    """Requests round up and capacity rounds down, so that nothing is oversold."""
    resources = {"cpu": "1500u", "memory": "100m", "ephemeral-storage": "1k", "nvidia.com/gpu": "2"}
    whole = ResourceAmounts(cpu_millis=2, memory_bytes=1, storage_bytes=1000, gpus=2)
    assert quantities.parse_requests(resources) == whole
    assert quantities.parse_allocatable(resources) == ResourceAmounts(
        cpu_millis=1, storage_bytes=1000, gpus=2
    )


def test_what_is_not_asked_for_is_never_missing() -> None:
    """A node that has less than nothing left takes what needs nothing of it."""
    left = ResourceAmounts(cpu_millis=100, gpus=-1)
    assert ResourceAmounts(cpu_millis=100).fits(left)
    assert ResourceAmounts(cpu_millis=101, gpus=1).missing(left) == ("cpu_millis", "gpus")


@given(st.lists(st.builds(ResourceAmounts, cpu_millis=st.integers(0, 9), gpus=st.integers(0, 9))))
def test_sums(parts: list[ResourceAmounts]) -> None:
    """A total is what its parts add up to, in any order, and taking it away leaves nothing."""
    whole = quantities.total(parts)
    assert quantities.total(reversed(parts)) == whole
    left = whole
    for part in parts:
        left = left - part
    assert left == ResourceAmounts()
