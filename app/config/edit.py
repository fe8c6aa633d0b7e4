"""Edits of config.toml that keep its comments and layout."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import tomlkit

Values = Mapping[tuple[str, str], Any]


def read_sample() -> str:
    """Read config.toml.sample: every key with its default and an explanation."""
    return files("app.config").joinpath("config.toml.sample").read_text("utf-8")


def set_values(text: str, values: Values) -> str:
    """Set keys (`("API", "Domain")`) in the text of a config.toml; the rest stays as it is."""
    document = tomlkit.parse(text)
    for (table, key), value in values.items():
        document.setdefault(table, tomlkit.table())[key] = value
    return tomlkit.dumps(document)
