"""Validation of a configuration, for `config check` and for the answers of `init`."""

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app import config as configuration
from app.admission import prices, quotas
from app.config import Config
from app.context import Context, check_complete
from app.errors import ConfigError
from app.net import signatures

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,240}}\Z){_LABEL}(\.{_LABEL})*")
_MULTI_ADDRESS = re.compile(
    rf"/(ip4/\d{{1,3}}(\.\d{{1,3}}){{3}}|ip6/[0-9A-Fa-f:.]+|dns[46]?/{_LABEL}(\.{_LABEL})*)/tcp/\d{{1,5}}"
)
_FORMATS = (
    ("API", "Domain", _DOMAIN, "a domain such as cp.example.com"),
    ("API", "MultiAddress", _MULTI_ADDRESS, "/ip4/<address>/tcp/<port> or /dns4/<name>/tcp/<port>"),
    ("API", "RedisUrl", re.compile(r"(rediss?://|unix:/)\S+"), "redis://<host>:<port>"),
    ("LAG", "ServerUrl", re.compile(r"https?://\S+"), "an http(s) URL"),
    (
        "SOURCE",
        "Origins",
        re.compile(r"https?://[^\s/?#@]+/?"),
        "a list of https://<host>[:<port>]",
    ),
    ("HUB", "OrchestratorPk", re.compile(r"0[xX][0-9A-Fa-f]{40}"), "an EVM address, 0x…"),
)


def problems(folder: Path, config: Config) -> Iterator[str]:
    """Yield the problems that keep a configuration from working, each with key and remedy."""
    yield from _malformed(config)
    try:
        check_complete(config)
    except ConfigError as error:
        yield from error.problems
    try:
        quotas.load(folder)
    except ConfigError as error:
        yield from error.problems
    try:
        prices.load(folder)
    except prices.UnreadablePrices as error:
        yield str(error)


def warnings(context: Context) -> Iterator[str]:
    """Yield what works and is dangerous, each with key and remedy.

    Raises:
        ConfigError: `[API] RedisUrl` is not a Redis URL.
    """
    # As redis-py reads the URL: a socket has a path and no host, and is guarded by its mode.
    options = context.redis.connection_pool.connection_kwargs
    host = "" if "path" in options else str(options.get("host", "localhost"))
    if host and not options.get("password") and not _is_loopback(host):
        yield (
            f"[API] RedisPassword is empty: whoever reaches Redis at {host} controls this "
            "provider; set a password in Redis and here"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def value_problems(table: str, key: str, value: Any) -> Iterator[str]:
    """Yield the problems of a single value, by the same rules."""
    try:
        config = configuration.convert({table: {key: value}})
    except ConfigError as error:
        yield from error.problems
        return
    yield from (line for line in _malformed(config) if line.startswith(f"[{table}] {key}"))


def _malformed(config: Config) -> Iterator[str]:
    """Yield values of the right type and a wrong form; an empty value is an absent one."""
    document: dict[str, dict[str, Any]] = configuration.to_document(config)
    for table, key, pattern, expected in _FORMATS:
        value = document[table][key]
        for text in [value] if isinstance(value, str) else value:
            if text and not pattern.fullmatch(text):
                yield f"[{table}] {key} is not {expected}"
    for keys in ((config.webhook.secrets, ()), ((), config.webhook.public_keys)):
        try:
            signatures.parse_keys(*keys)
        except signatures.InvalidKeyError as error:
            yield f"[WEBHOOK] {error}"
