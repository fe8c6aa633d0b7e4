"""Templates: YAML with placeholders, parsed first and filled in afterwards.

`${name}` stands for a value in any scalar below a template's root. A scalar that is exactly one
placeholder becomes the value itself, whatever its type; None removes the scalar's key or list item.
Within a longer text a value has to be a string or an integer. Keys are never filled, and filled-in
values are never expanded again, so no value can change a manifest's structure.
"""

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

SUFFIX = ".yaml"

_PLACEHOLDER = re.compile(r"\$\{([a-z_]+)\}")


class TemplateError(Exception):
    """A template that the operator has to correct; the message names the file."""


@dataclass(frozen=True, slots=True)
class Templates:
    """The built-in templates, overridden by the operator's of the same name.

    Attributes:
        overrides: The operator's folder, or None. A missing folder counts as empty.
    """

    overrides: Path | None = None

    def __post_init__(self) -> None:
        if self.overrides is None or not self.overrides.is_dir():
            return
        unknown = {file.name for file in self.overrides.glob(f"*{SUFFIX}")} - _built_in_names()
        if unknown:
            raise TemplateError(
                f"{self.overrides / min(unknown)} overrides no template; the templates are "
                + ", ".join(sorted(_built_in_names()))
            )

    def fill(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Fill the placeholders of the template `name` (without `.yaml`).

        Raises:
            TemplateError: The file is not a YAML mapping, or has a placeholder without a value.
        """
        source, tree = self._load(name)
        try:
            return _fill_mapping(tree, values)
        except KeyError as error:
            known = ", ".join(sorted(values))
            raise TemplateError(
                f"{source}: ${{{error.args[0]}}} has no value; the placeholders are {known}"
            ) from None
        except TypeError as error:
            raise TemplateError(f"{source}: {error}") from None

    def _load(self, name: str) -> tuple[str, dict[str, Any]]:
        file = self.overrides / f"{name}{SUFFIX}" if self.overrides else None
        if file is None or not file.is_file():
            return f"{name}{SUFFIX}", _load_built_in(name)
        try:
            return str(file), _parse(str(file), file.read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise TemplateError(f"{file}: {error}") from error


@cache
def _built_in_names() -> frozenset[str]:
    folder = resources.files("k8s") / "templates"
    return frozenset(file.name for file in folder.iterdir() if file.name.endswith(SUFFIX))


@cache
def _load_built_in(name: str) -> dict[str, Any]:
    file = resources.files("k8s") / "templates" / f"{name}{SUFFIX}"
    return _parse(f"{name}{SUFFIX}", file.read_text())


def _parse(source: str, text: str) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TemplateError(f"{source}: {error}") from error
    if not isinstance(tree, dict):
        raise TemplateError(f"{source}: has to be one YAML mapping")
    return tree


def _fill_mapping(tree: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    filled = ((key, _fill(leaf, values)) for key, leaf in tree.items())
    return {key: value for key, value in filled if value is not None}


def _fill(tree: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(tree, dict):
        return _fill_mapping(tree, values)
    if isinstance(tree, list):
        return [value for leaf in tree if (value := _fill(leaf, values)) is not None]
    if not isinstance(tree, str):
        return tree
    if placeholder := _PLACEHOLDER.fullmatch(tree):
        return deepcopy(values[placeholder[1]])
    return _PLACEHOLDER.sub(lambda match: _text(match[1], values), tree)


def _text(name: str, values: Mapping[str, Any]) -> str:
    value = values[name]
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f"${{{name}}} is not a string and cannot stand within one")
    return str(value)
