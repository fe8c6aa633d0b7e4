"""Tests of the `model-setting.json` parser with untrusted files."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Permanent
from app.spaces.inference.model_setting import read

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=100),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@pytest.mark.parametrize(
    "model_id", ["gpt2", "openai/whisper-tiny", "a_b/c.d-e", "0/1", "x" * 96, "_a/_b_"]
)
def test_a_model(model_id: str) -> None:
    """Ids in the hub's form are accepted; other fields are ignored."""
    content = json.dumps({"model_id": f" {model_id}\n", "other": [1]}).encode()
    assert read(content) == model_id


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is not JSON"),
        (b"\xff", "it is not JSON"),
        (b"[" * 10_000, "it is not JSON"),
        (b"[]", "it must be a JSON object"),
        (b"{}", "model_id: must be a string"),
        (b'{"model_id": 7}', "model_id: must be a string"),
        (b'{"model_id": " "}', "model_id: must be a string"),
        (b'{"model_id": "a/b/c"}', "model_id: must be the id of a model"),
        (b'{"model_id": "../x"}', "model_id: must be the id of a model"),
        (b'{"model_id": "a/.."}', "model_id: must be the id of a model"),
        (b'{"model_id": "a--b"}', "model_id: must be the id of a model"),
        (b'{"model_id": "a?b"}', "model_id: must be the id of a model"),
        (b'{"model_id": "a\\n"}'.replace(b"a", b"a\\nb"), "model_id: must be the id of a model"),
        (b'{"model_id": "$(x)"}', "model_id: must be the id of a model"),
        (b'{"model_id": "' + b"x" * 97 + b'"}', "model_id: must be the id of a model"),
        (b" " * 70_000, "it is larger than 64 KiB"),
    ],
)
def test_invalid_files(content: bytes, problem: str) -> None:
    """The message names the field and its expected value."""
    with pytest.raises(Permanent) as refused:
        read(content)
    assert refused.value.category == "model_invalid"
    assert refused.value.message.startswith(f"model-setting.json: {problem}")


@given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_anything(content: bytes) -> None:
    """Any file yields a safe id or is refused."""
    _read(content)


@given(st.text(max_size=120))
def test_any_id(text: str) -> None:
    """Any id is safe in a path or refused."""
    _read(json.dumps({"model_id": text}).encode())


def _read(content: bytes) -> None:
    refusal = None
    try:
        model_id = read(content)
    except Permanent as error:
        refusal = error
    if refusal:
        assert refusal.category == "model_invalid"
        assert refusal.message.isprintable()
        return
    assert re.fullmatch(r"[\w.-]+(/[\w.-]+)?", model_id, re.ASCII)
    assert ".." not in model_id
