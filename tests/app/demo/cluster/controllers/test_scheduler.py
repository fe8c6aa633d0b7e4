"""The simulated scheduler's arithmetic."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from app.demo.cluster.controllers import scheduler
from k8s.inventory import quantities


@given(st.integers(min_value=0, max_value=10**15))
def test_written(millis: int) -> None:
    """A written quantity is read as the same amount."""
    amount = Fraction(millis, 1000)
    assert quantities.parse(scheduler.written(amount)) == amount
