"""The operator's configuration: v0.3.0's `config.toml` with new tables, and `CP_*` variables."""

import difflib
import os
import tomllib
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from app.errors import ConfigError

DEFAULT_FOLDER = Path("~/.swan/computing")
_SECRETS = {"RedisPassword", "AccessToken", "ApiKey", "Password", "Secrets"}

Seconds = Annotated[int, Meta(gt=0)]
Count = Annotated[int, Meta(gt=0)]


class _Table(
    msgspec.Struct, frozen=True, kw_only=True, rename="pascal", forbid_unknown_fields=True
):
    """A table of config.toml; every key has its default."""


class Api(_Table, frozen=True, kw_only=True):
    """Where the provider listens, what its domain is, where its memory lies."""

    port: Annotated[int, Meta(ge=0, le=65535)] = 8085
    multi_address: str = ""
    domain: str = ""
    node_name: str = ""
    region: str = ""
    redis_url: str = "redis://127.0.0.1:6379"
    redis_password: str = ""
    plain_log_urls: bool = False


class Log(_Table, frozen=True, kw_only=True):
    """The certificate that web serves TLS with; both or none."""

    crt_file: str = ""
    key_file: str = ""


class Lag(_Table, frozen=True, kw_only=True):
    """Lagrange: where callbacks go, and the token they carry."""

    server_url: str = "https://api.lagrangedao.org"
    access_token: str = ""


class Mcs(_Table, frozen=True, kw_only=True):
    """Multichain Storage, for result documents."""

    api_key: str = ""
    bucket_name: str = ""
    network: str = "polygon.mainnet"
    server_url: str = ""
    file_cache_path: str = "/tmp"  # noqa: S108 - the default of v0.3.0; nothing is written there.


class Registry(_Table, frozen=True, kw_only=True):
    """The registry that built images are pushed to."""

    server_address: str = ""
    user_name: str = ""
    password: str = ""


class Webhook(_Table, frozen=True, kw_only=True):
    """Who may send events (Standard Webhooks), and how large and how old one may be."""

    secrets: tuple[str, ...] = ()
    public_keys: tuple[str, ...] = ()
    max_body_bytes: Count = 1 << 20
    tolerance_seconds: Seconds = 300


class Hub(_Table, frozen=True, kw_only=True):
    """Who may sign v1.1.5 messages (EIP-191): an EVM address; and this provider's account."""

    orchestrator_pk: str = ""
    account_address: str = ""


class ClusterTable(_Table, frozen=True, kw_only=True):
    """The cluster, and what it offers to tenants."""

    kubeconfig: str = ""
    simulated: bool = False
    ingress_class: str = "nginx"
    ingress_namespace: str = ""
    gateway: str = ""
    node_ports: bool = False
    load_balancers: bool = False
    storage_classes: dict[str, str] = msgspec.field(default_factory=dict)
    runtime_class: str = ""
    proof_image: str = "filswan/worker-proof:v1.0"


class Source(_Table, frozen=True, kw_only=True):
    """Limits of what is fetched for one Space."""

    allow_private_addresses: bool = False
    max_files: Count = 2000
    max_file_bytes: Count = 256 << 20
    max_total_bytes: Count = 1 << 30
    timeout_seconds: Seconds = 600


class Build(_Table, frozen=True, kw_only=True):
    """How images are built from Spaces' Dockerfiles, and what one build may use."""

    builder: Literal["", "buildah", "podman", "buildctl", "docker"] = ""
    at_once: Count = 1
    timeout_seconds: Seconds = 1200
    max_context_bytes: Count = 256 << 20
    max_disk_bytes: Count = 20 << 30
    cpu: Annotated[float, Meta(gt=0)] = 2.0
    memory_bytes: Count = 4 << 30
    network: Literal["none", "private", "host"] = "private"
    isolation: Literal["", "oci", "rootless", "chroot"] = ""
    storage_driver: Literal["", "overlay", "vfs", "btrfs", "zfs"] = ""
    keep_days: Count = 30


class Admission(_Table, frozen=True, kw_only=True):
    """Whose jobs come in, and for how much; lists are files (from `CP_PATH`) or URLs."""

    white_list: str = ""
    black_list: str = ""
    lists_kept_seconds: Seconds = 300
    pricing: bool = False


class TaskTable(_Table, frozen=True, kw_only=True):
    """Limits of tasks."""

    min_duration_seconds: Seconds = 60
    max_duration_seconds: Seconds = 366 * 86400
    start_timeout_seconds: Seconds = 3600
    max_active: Count = 1000
    workers: Annotated[int, Meta(gt=0, le=64)] = 2
    end_terminated: bool = False


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything in config.toml, table by table."""

    api: Api = msgspec.field(name="API", default_factory=Api)
    log: Log = msgspec.field(name="LOG", default_factory=Log)
    lag: Lag = msgspec.field(name="LAG", default_factory=Lag)
    mcs: Mcs = msgspec.field(name="MCS", default_factory=Mcs)
    registry: Registry = msgspec.field(name="Registry", default_factory=Registry)
    webhook: Webhook = msgspec.field(name="WEBHOOK", default_factory=Webhook)
    hub: Hub = msgspec.field(name="HUB", default_factory=Hub)
    cluster: ClusterTable = msgspec.field(name="CLUSTER", default_factory=ClusterTable)
    source: Source = msgspec.field(name="SOURCE", default_factory=Source)
    build: Build = msgspec.field(name="BUILD", default_factory=Build)
    admission: Admission = msgspec.field(name="ADMISSION", default_factory=Admission)
    task: TaskTable = msgspec.field(name="TASK", default_factory=TaskTable)


def load(folder: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Read this folder's `config.toml` (absent: all defaults); `CP_<TABLE>_<KEY>` wins over it.

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
        document.setdefault(table, {})[key] = _parsed(value, kind)
    return _converted(document)


def _converted(document: dict[str, Any]) -> Config:
    values: dict[str, Any] = {}
    problems = []
    for name, kind in tables().items():
        try:
            values[name] = msgspec.convert(document.get(name, {}), kind)
        except msgspec.ValidationError as error:
            message, _, where = str(error).partition(" - at `$")
            problems.append(f"[{name}]{where.rstrip('`').replace('.', ' ', 1)}: {message}")
    if problems:
        raise ConfigError(*problems)
    by_field = {field.name: values[field.encode_name] for field in msgspec.structs.fields(Config)}
    return Config(**by_field)


def tables() -> dict[str, type[msgspec.Struct]]:
    """Return each table's name in config.toml and its type, in order."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(Config)}


def keys() -> Iterator[tuple[str, str, Any]]:
    """Yield (table, key, type) for every key that there is."""
    for table, kind in tables().items():
        for field in msgspec.structs.fields(kind):
            yield table, field.encode_name, field.type


def variable(table: str, key: str) -> str:
    """Return the environment variable that sets this key: `CP_API_PORT`."""
    return f"CP_{table}_{key}".upper()


def _overrides(environment: Mapping[str, str]) -> Iterator[tuple[str, str, Any, str]]:
    for table, key, kind in keys():
        value = environment.get(variable(table, key))
        if value is not None:
            yield table, key, kind, value


def _parsed(value: str, kind: Any) -> Any:
    """Read a variable as TOML where the key is no string; lists may be written `a,b` too."""
    plain = kind.__origin__ if typing.get_origin(kind) is Annotated else kind
    if plain is str:
        return value
    if typing.get_origin(plain) is tuple and not value.lstrip().startswith("["):
        return [item.strip() for item in value.split(",") if item.strip()]
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
    known = {variable(table, key) for table, key, _ in keys()}
    prefixes = tuple(f"CP_{table}_".upper() for table in tables())
    for name in sorted(environment):
        if name.startswith(prefixes) and name not in known:
            yield f"{name}: unknown variable{_suggestion(name, known)}"


def _suggestion(word: str, known: Any) -> str:
    by_fold = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.5)
    return f"; did you mean {by_fold[near[0]]}?" if near else ""


def shown(config: Config) -> Iterator[tuple[str, str, str]]:
    """Yield (table, key, value) with secrets masked, for people to read."""
    document: dict[str, dict[str, Any]] = msgspec.to_builtins(config)
    for table, content in document.items():
        for key, value in content.items():
            yield table, key, _masked(key, value)


def _masked(key: str, value: Any) -> str:
    if key in _SECRETS:
        return (
            f"({len(value)} set)" if isinstance(value, list | tuple) else "(set)" if value else ""
        )
    if key.endswith("Url") and "@" in value:
        scheme, _, rest = value.partition("://")
        return f"{scheme}://…@{rest.rpartition('@')[2]}"
    return str(value)


def secrets(config: Config) -> Iterator[str]:
    """Yield every secret value, for the log to strike out."""
    document: dict[str, dict[str, Any]] = msgspec.to_builtins(config)
    for content in document.values():
        for key, value in content.items():
            if key in _SECRETS:
                yield from value if isinstance(value, list | tuple) else [value] if value else []
            elif key.endswith("Url") and (password := urlsplit(value).password):
                yield password
