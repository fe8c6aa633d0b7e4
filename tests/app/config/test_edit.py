"""Edits of config.toml change the keys given, and nothing else."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import edit

TEXTS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=30)


def test_the_sample_is_the_projects() -> None:
    """`init` starts from config.toml.sample, the only one."""
    text = edit.read_sample()
    assert tomllib.loads(text)["API"]["Domain"] == ""
    assert edit.set_values(text, {}) == text


def test_only_the_line_changes() -> None:
    """A single line of the sample changes, and its comments stay."""
    before = edit.read_sample()
    after = edit.set_values(before, {("API", "Domain"): "cp.example.com"})
    changed = [
        pair
        for pair in zip(before.splitlines(), after.splitlines(), strict=True)
        if pair[0] != pair[1]
    ]
    assert changed == [('Domain = ""', 'Domain = "cp.example.com"')]


@given(domain=TEXTS, secrets=st.lists(TEXTS, max_size=3), number=st.integers(1, 99))
def test_any_value(domain: str, secrets: list[str], number: int) -> None:
    """Any values are read back unchanged, and so is the rest of the file."""
    values = {
        ("API", "Domain"): domain,
        ("WEBHOOK", "Secrets"): secrets,
        ("LAG", "CallbackKeys"): [number],
    }
    after = tomllib.loads(edit.set_values(edit.read_sample(), values))
    expected = tomllib.loads(edit.read_sample())
    for (table, key), value in values.items():
        expected[table][key] = value
    assert after == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[API]\nPort = 1",
        "[WEBHOOK]\nSecrets = [\n  'a', # one\n  'b',\n]\n",
        "[ WEBHOOK ] # here\n  Secrets=['a']\n[API]\nSecrets_ = 1\n",
        "WEBHOOK.Secrets = []\n",
        "WEBHOOK = { Secrets = [] }\n",
        "[API]\nNodeName = '''\n[WEBHOOK]\n'''\n[WEBHOOK]\nSecrets = []\n",
    ],
)
def test_any_file(text: str) -> None:
    """The key is found in any TOML spelling, and added where it or its table is missing."""
    after = tomllib.loads(edit.set_values(text, {("WEBHOOK", "Secrets"): ["x"]}))
    expected = tomllib.loads(text)
    expected.setdefault("WEBHOOK", {})["Secrets"] = ["x"]
    assert after == expected
