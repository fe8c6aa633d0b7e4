"""Label selectors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.demo.cluster import selectors
from app.demo.cluster.api_errors import ApiError

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
    assert selectors.parse(text)(LABELS) is selected


@pytest.mark.parametrize("text", ["a==b==c", ",", "a,", "team in a", "a=b c=d", "=x", "(a)"])
def test_no_selector(text: str) -> None:
    """Anything that is no selector is a bad request."""
    with pytest.raises(ApiError) as failure:
        selectors.parse(text)
    assert failure.value.code == 400


@given(st.text(alphabet="ab=!(),in not.-/", max_size=40))
def test_any_text(text: str) -> None:
    """Any text is a selector or a bad request."""
    codes = []
    try:
        selectors.parse(text)(LABELS)
    except ApiError as failure:
        codes.append(failure.code)
    assert codes in ([], [400])
