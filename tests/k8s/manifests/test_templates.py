"""Templates, their placeholders, and the operator's own."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from k8s.manifests.templates import TemplateError, Templates

VALUES = {"namespace": "ns-0x1", "labels": {"a": "b"}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def _own(folder: Path, text: str, *, name: str = "namespace.yaml") -> Templates:
    (folder / name).write_text(text)
    return Templates(folder)


def test_a_leaf_keeps_the_values_type(tmp_path: Path) -> None:
    """A scalar that is one placeholder becomes the value, whatever it is."""
    templates = _own(tmp_path, "{a: '${x}', b: ['${x}'], c: 'n-${n}'}")
    filled = templates.fill("namespace", {"x": {"y": [1, None]}, "n": 7})
    assert filled == {"a": {"y": [1, None]}, "b": [{"y": [1, None]}], "c": "n-7"}


def test_none_takes_its_key_away(tmp_path: Path) -> None:
    """A placeholder without a value leaves neither key nor list item behind."""
    templates = _own(tmp_path, "{a: '${x}', b: ['${x}', 1], c: {d: '${x}'}}")
    assert templates.fill("namespace", {"x": None}) == {"b": [1], "c": {}}


@given(value=JSON)
def test_values_change_no_structure(value: object) -> None:
    """Whatever a value holds, placeholders and YAML included, only its own leaf is different."""
    filled = Templates().fill("namespace", {"namespace": "n", "labels": value})
    leaf = filled["metadata"].pop("labels", None)
    assert leaf == value
    assert filled == {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}


@given(value=st.text())
def test_text_round_trips_through_yaml(value: str) -> None:
    """A manifest that is printed as YAML and read again is the same manifest."""
    filled = Templates().fill("namespace", {"namespace": "n", "labels": {"a": value}})
    assert yaml.safe_load(yaml.safe_dump(filled)) == filled


def test_values_are_not_looked_at_again() -> None:
    """A value that spells a placeholder stays that text."""
    filled = Templates().fill("namespace", {"namespace": "${labels}", "labels": "${namespace}"})
    assert filled["metadata"] == {"name": "${labels}", "labels": "${namespace}"}


def test_values_are_copied() -> None:
    """Changing one manifest changes no other that was made of the same value."""
    one, other = (Templates().fill("namespace", VALUES) for _ in range(2))
    one["metadata"]["labels"]["a"] = "changed"
    assert other["metadata"]["labels"] == {"a": "b"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{a: '${wrong}'}", r"\$\{wrong\} has no value; the placeholders are labels, namespace"),
        ("{a: 'x-${labels}'}", r"\$\{labels\} is not a string"),
        ("[1]", "one YAML mapping"),
        ("{", "namespace.yaml"),
    ],
)
def test_bad_templates_name_their_file(tmp_path: Path, text: str, message: str) -> None:
    """The operator is told which file is wrong, and how."""
    templates = _own(tmp_path, text)
    with pytest.raises(TemplateError, match=message) as refused:
        templates.fill("namespace", VALUES)
    assert str(tmp_path) in str(refused.value)


def test_a_file_that_overrides_nothing_is_an_error(tmp_path: Path) -> None:
    """A misspelt file name does not pass for an override."""
    with pytest.raises(TemplateError, match=r"namespaces\.yaml overrides no template"):
        _own(tmp_path, "{}", name="namespaces.yaml")


def test_a_folder_that_is_not_there_overrides_nothing(tmp_path: Path) -> None:
    """Without the operator's folder the product's templates hold."""
    assert Templates(tmp_path / "none").fill("namespace", VALUES)["kind"] == "Namespace"
