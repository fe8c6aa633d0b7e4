"""Quantities as Kubernetes writes them."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.demo.cluster import quantities


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("100m", Fraction(1, 10)),
        ("2", Fraction(2)),
        (3, Fraction(3)),
        ("1.5", Fraction(3, 2)),
        ("16Gi", Fraction(16 << 30)),
        ("5M", Fraction(5_000_000)),
        ("1e3", Fraction(1000)),
        ("2E", Fraction(2 * 10**18)),
    ],
)
def test_parse(text: str | int, amount: Fraction) -> None:
    """Every usual form is read."""
    assert quantities.parse(text) == amount


@pytest.mark.parametrize("text", ["", "Gi", "1/0", "1 Gi", "nan", "-1", "1e999999999", "9" * 50])
def test_no_quantity(text: str) -> None:
    """What is no quantity, or a ridiculous one, is refused without an effort."""
    with pytest.raises(ValueError, match="is no quantity"):
        quantities.parse(text)


@given(st.integers(min_value=0, max_value=10**15))
def test_written(millis: int) -> None:
    """What is written is read as the same."""
    amount = Fraction(millis, 1000)
    assert quantities.parse(quantities.write(amount)) == amount
