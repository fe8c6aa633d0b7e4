"""Loading of config.toml and `CP_*` variables; errors are reported one line each."""

import os
import tomllib
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from app.config.tables import Config
from app.errors import ConfigError

_DEFAULT_FOLDER = Path("~/.swan/computing")


def resolve_folder(chosen: str | None = None) -> Path:
    """Return the provider's folder: the chosen one, else `CP_PATH`, else `~/.swan/computing`."""
    name = chosen or os.environ.get("CP_PATH") or str(_DEFAULT_FOLDER)
    return Path(name).expanduser().absolute()


def load(folder: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Load this folder's `config.toml` (missing: all defaults); `CP_<TABLE>_<KEY>` overrides it.

    Raises:
        ConfigError: One line for each wrong, unknown or contradictory key.
    """
    path = folder / "config.toml"
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        document = {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    problems = [*_unknown(document), *_unknown_variables(environment)]
    if problems:
        raise ConfigError(*problems)
    for table, key, kind, value in _overrides(environment):
        document.setdefault(table, {})[key] = _parse_variable(value, kind)
    return convert(document)


def convert(document: dict[str, Any]) -> Config:
    """Convert a parsed config.toml into the configuration.

    Raises:
        ConfigError: One line for each value of the wrong type or out of range.
    """
    values: dict[str, Any] = {}
    problems = []
    for name, kind in tables().items():
        try:
            values[name] = msgspec.convert(document.get(name, {}), kind)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at `$")
            problems.append(f"[{name}]{path.rstrip('`').replace('.', ' ', 1)}: {message}")
    if problems:
        raise ConfigError(*problems)
    by_field = {field.name: values[field.encode_name] for field in msgspec.structs.fields(Config)}
    return Config(**by_field)


def tables() -> dict[str, type[msgspec.Struct]]:
    """Return each table's name in config.toml and its type, in order."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(Config)}


def keys() -> Iterator[tuple[str, str, Any]]:
    """Yield (table, key, type) for every key."""
    for table, kind in tables().items():
        for field in msgspec.structs.fields(kind):
            yield table, field.encode_name, field.type


def variable_name(table: str, key: str) -> str:
    """Return the environment variable that sets this key: `CP_API_PORT`."""
    return f"CP_{table}_{key}".upper()


def _overrides(environment: Mapping[str, str]) -> Iterator[tuple[str, str, Any, str]]:
    for table, key, kind in keys():
        value = environment.get(variable_name(table, key))
        if value is not None:
            yield table, key, kind, value


def _parse_variable(value: str, kind: Any) -> Any:
    """Parse a variable as TOML unless the key is a string; lists may also be written `a,b`."""
    plain = kind.__origin__ if typing.get_origin(kind) is Annotated else kind
    if plain is str:
        return value
    if typing.get_origin(plain) is tuple and not value.lstrip().startswith("["):
        (item_kind, *_) = typing.get_args(plain)
        return [
            _parse_variable(item.strip(), item_kind) for item in value.split(",") if item.strip()
        ]
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value


def _unknown(document: dict[str, Any]) -> Iterator[str]:
    known = tables()
    for table, content in document.items():
        if table not in known:
            yield f"[{table}]: unknown table{_suggestion(table, known)}"
            continue
        if not isinstance(content, dict):
            yield f"[{table}]: has to be a table"
            continue
        names = [field.encode_name for field in msgspec.structs.fields(known[table])]
        for key in content:
            if key not in names:
                yield f"[{table}] {key}: unknown key{_suggestion(key, names)}"


def _unknown_variables(environment: Mapping[str, str]) -> Iterator[str]:
    known = {variable_name(table, key) for table, key, _ in keys()}
    prefixes = tuple(f"CP_{table}_".upper() for table in tables())
    for name in sorted(environment):
        if name.startswith(prefixes) and name not in known:
            yield f"{name}: unknown variable{_suggestion(name, known)}"


def _suggestion(word: str, known: Any) -> str:
    import difflib  # noqa: PLC0415 - needed only for errors.

    by_fold = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.5)
    return f"; did you mean {by_fold[near[0]]}?" if near else ""
