"""A configuration for people and logs: its secrets, known and masked."""

from collections.abc import Iterator
from typing import Any

import msgspec

from app.config.tables import Config

_SECRETS = {"RedisPassword", "AccessToken", "ApiKey", "Password", "Secrets"}


def to_document(config: Config) -> dict[str, dict[str, Any]]:
    """Return a configuration as its config.toml would be parsed."""
    found: dict[str, dict[str, Any]] = msgspec.to_builtins(config)
    return found


def mask(config: Config) -> Iterator[tuple[str, str, str]]:
    """Yield (table, key, value) with secrets masked, for people to read."""
    for table, content in to_document(config).items():
        for key, value in content.items():
            yield table, key, _masked(key, value)


def _masked(key: str, value: Any) -> str:
    if key in _SECRETS:
        return (
            f"({len(value)} set)" if isinstance(value, list | tuple) else "(set)" if value else ""
        )
    if _is_url(value) and "@" in value:
        scheme, _, rest = value.partition("://")
        return f"{scheme}://…@{rest.rpartition('@')[2]}"
    return str(value)


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and "://" in value


def secrets(config: Config) -> Iterator[str]:
    """Yield every secret value, for the log to strike out."""
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415 - some commands start without it.

    for content in to_document(config).values():
        for key, value in content.items():
            if key in _SECRETS:
                yield from value if isinstance(value, list | tuple) else [value] if value else []
            elif _is_url(value) and (password := urlsplit(value).password):
                yield from {password, unquote(password)}
