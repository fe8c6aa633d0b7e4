"""Secrets of a configuration: listed for redaction, masked for display."""

from collections.abc import Iterator
from typing import Any

import msgspec

from app.config.tables import Config

_SECRETS = {"RedisPassword", "AccessToken", "ApiKey", "Password", "Secrets"}


def to_document(config: Config) -> dict[str, dict[str, Any]]:
    """Convert a configuration into the form of a parsed config.toml."""
    document: dict[str, dict[str, Any]] = msgspec.to_builtins(config)
    return document


def mask(config: Config) -> Iterator[tuple[str, str, str]]:
    """Yield (table, key, value) for display, with secrets masked."""
    for table, content in to_document(config).items():
        for key, value in content.items():
            yield table, key, _mask_value(key, value)


def _mask_value(key: str, value: Any) -> str:
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
    """Yield every secret value, for redaction."""
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415 - some commands start without it.

    if config.registry.user_name and config.registry.password:
        # As `Authorization` has them; the forms of short passwords are not known without the name.
        yield f"{config.registry.user_name}:{config.registry.password}"
    for content in to_document(config).values():
        for key, value in content.items():
            if key in _SECRETS:
                yield from value if isinstance(value, list | tuple) else [value] if value else []
            elif _is_url(value) and (password := urlsplit(value).password):
                yield from {password, unquote(password)}
