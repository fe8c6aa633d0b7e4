"""JSON from others as typed values, and every field that is wrong."""

from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from app.net import typed_json


class Wheel(msgspec.Struct, frozen=True):
    """A part of a part."""

    spokes: Annotated[int, Meta(ge=0)]
    maker: Annotated[str, Meta(pattern=r"^[a-z]+\Z", description="letters")] = "unknown"


class Frame(msgspec.Struct, frozen=True):
    """A part."""

    size: Annotated[str, Meta(pattern=r"^[SML]\Z")]


class Bicycle(msgspec.Struct, frozen=True):
    """A document with parts inside."""

    frame: Frame
    wheels: list[Wheel]
    owner: Wheel | None = None


def wrong(document: Any) -> dict[str, str]:
    """Return the detail of each wrong field by its pointer."""
    with pytest.raises(typed_json.Invalid) as caught:
        typed_json.check(document, Bicycle, pointer="/data")
    return {error.pointer: error.detail for error in caught.value.errors}


def test_a_document_of_its_shape() -> None:
    """A document becomes a value; fields that the type does not have are ignored."""
    document = {"frame": {"size": "M", "weight": 2}, "wheels": [{"spokes": 32}]}
    assert typed_json.check(document, Bicycle) == Bicycle(Frame("M"), [Wheel(32)])


def test_wrong_fields_are_named_at_any_depth() -> None:
    """Every wrong field is named in nested objects and lists too."""
    wheels = [{"spokes": -1, "maker": "X"}, {"spokes": 1}, 5, {}]
    assert wrong({"frame": {"size": "XL"}, "wheels": wheels}) == {
        "/data/frame/size": "has to be of another form",
        "/data/wheels/0/spokes": "has to be `int` >= 0",
        "/data/wheels/0/maker": "has to be letters",
        "/data/wheels/2": "has to be an object",
        "/data/wheels/3/spokes": "is missing",
    }


def test_a_missing_part_is_named_once() -> None:
    """A part that is missing or of another type is named, not the fields that it would have."""
    assert wrong({"frame": None, "wheels": {}}) == {
        "/data/frame": "has to be an object",
        "/data/wheels": "has to be `array`, got `object`",
    }
    assert wrong([]) == {"/data": "has to be an object"}
    assert wrong({}) == {"/data/frame": "is missing", "/data/wheels": "is missing"}


def test_errors_are_bounded() -> None:
    """Of a long list of wrong values the first hundred are named."""
    assert len(wrong({"frame": {"size": "M"}, "wheels": [5] * 1000})) == 100


PART = st.dictionaries(st.sampled_from(["spokes", "maker", "size"]), st.integers() | st.text())
JSON = st.none() | st.integers() | PART | st.lists(PART, max_size=3)


@given(JSON | st.dictionaries(st.sampled_from(["frame", "wheels", "owner"]), JSON))
def test_invalid_means_that_a_field_is_named(document: Any) -> None:
    """Any JSON is valid, or invalid with at least one error."""
    try:
        typed_json.check(document, Bicycle)
    except typed_json.Invalid as invalid:
        assert invalid.errors  # noqa: PT017 - either outcome is right, no other is.
