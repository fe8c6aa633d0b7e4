"""The text of config.toml, changed without losing what else stands in it."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import tomlkit

Values = Mapping[tuple[str, str], Any]


def read_sample() -> str:
    """Return config.toml.sample: every key with its default, explained."""
    return files("app.config").joinpath("config.toml.sample").read_text("utf-8")


def set_values(text: str, values: Values) -> str:
    """Return a config.toml with keys (`("API", "Domain")`) set, and all the rest as it was."""
    document = tomlkit.parse(text)
    for (table, key), value in values.items():
        document.setdefault(table, tomlkit.table())[key] = value
    return tomlkit.dumps(document)
