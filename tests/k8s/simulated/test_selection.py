"""Label selectors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s.simulated import selection
from k8s.simulated.status import Failure

LABELS = {"app.kubernetes.io/name": "web", "team": "a", "empty": ""}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("app.kubernetes.io/name=web,team==a", True),
        ("team!=a", False),
        ("absent!=a", True),
        ("team in (a, b),team notin (c)", True),
        ("team in (b)", False),
        ("empty=", True),
        ("team", True),
        ("!team", False),
        ("!absent , team", True),
    ],
)
def test_selects(text: str, *, selected: bool) -> None:
    """A selector selects what all of its requirements hold for."""
    assert selection.parse(text)(LABELS) is selected


@pytest.mark.parametrize("text", ["a==b==c", ",", "a,", "team in a", "a=b c=d", "=x", "(a)"])
def test_no_selector(text: str) -> None:
    """What is no selector is a bad request."""
    with pytest.raises(Failure) as failure:
        selection.parse(text)
    assert failure.value.code == 400


@given(st.text(alphabet="ab=!(),in not.-/", max_size=40))
def test_any_text(text: str) -> None:
    """Any text is a selector or a bad request."""
    codes = []
    try:
        selection.parse(text)(LABELS)
    except Failure as failure:
        codes.append(failure.code)
    assert codes in ([], [400])
