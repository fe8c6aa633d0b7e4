"""The `services` section of the file; each service is read by itself."""

from dataclasses import dataclass

from app.spaces.files import Files
from app.spaces.image_registries import ImageRegistries
from app.spaces.ldl import (
    environment,
    expose,
    files_and_models,
    image_names,
)
from app.spaces.ldl.expose import Exposure
from app.spaces.ldl.fields import (
    Node,
    convert,
    entries,
    items,
    refuse_missing,
    text,
    warn_unknown,
)
from app.spaces.ldl.files_and_models import FileRequest, MountRequest
from k8s.naming import names
from k8s.workload import Model

MAX_SERVICES = 64
MAX_NAME = 253
MAX_ARGUMENTS = 1000

_KEYS = frozenset(
    {
        "image",
        "command",
        "args",
        "env",
        "expose",
        "depends-on",
        "ready-cmd",
        "config",
        "models",
        "params",
        "credentials",
    }
)
_COMPOSE_KEYS = frozenset(
    {
        "build",
        "cap_add",
        "cap_drop",
        "configs",
        "container_name",
        "cpus",
        "dependencies",
        "deploy",
        "depends_on",
        "devices",
        "dns",
        "domainname",
        "entrypoint",
        "env_file",
        "environment",
        "external_links",
        "extra_hosts",
        "healthcheck",
        "hostname",
        "init",
        "ipc",
        "labels",
        "links",
        "logging",
        "mem_limit",
        "network_mode",
        "networks",
        "pid",
        "platform",
        "ports",
        "privileged",
        "profiles",
        "pull_policy",
        "restart",
        "runtime",
        "secrets",
        "security_opt",
        "shm_size",
        "stdin_open",
        "stop_grace_period",
        "sysctls",
        "tmpfs",
        "tty",
        "ulimits",
        "user",
        "volumes",
        "working_dir",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service as the file describes it; fields that were refused are empty."""

    name: str
    path: str
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    exposures: tuple[Exposure, ...] = ()
    depends_on: tuple[str, ...] = ()
    ready_command: tuple[str, ...] = ()
    files: tuple[FileRequest, ...] = ()
    models: tuple[Model, ...] = ()
    mounts: tuple[MountRequest, ...] = ()


def read(node: Node, *, files: Files, host: str, registries: ImageRegistries) -> dict[str, Service]:
    """Every service by its name, in the file's order; problems go to the findings."""
    named = entries(node)
    if not named and isinstance(node.value, dict | None):
        node.refuse("must name at least one service")
    if len(named) > MAX_SERVICES:
        node.refuse(f"must have at most {MAX_SERVICES} services")
        return {}
    services: dict[str, Service] = {}
    for name, service_node in named:
        if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
            service_node.refuse(f"is not a service name; use 1 to {MAX_NAME} printable characters")
            continue
        if not names.is_host(name):
            service_node.warn("is not a host name; other services may not reach it by this name")
        services[name] = _service(name, service_node, files=files, host=host, registries=registries)
    total = sum(file.size_bytes for service in services.values() for file in service.files)
    if total > files_and_models.MAX_FILE_BYTES:
        node.refuse(
            f"mount more than {files_and_models.MAX_FILE_BYTES} bytes of `config` files: {total}"
        )
    return services


def _service(
    name: str, node: Node, *, files: Files, host: str, registries: ImageRegistries
) -> Service:
    if not isinstance(node.value, dict):
        node.refuse("must be a mapping with `image`")
        return Service(name=name, path=node.path)
    warn_unknown(node, _KEYS, ignored=_COMPOSE_KEYS)
    if node.has("credentials") and node.get("credentials").value:
        node.get("credentials").refuse("private images are not supported; use a public image")
    return Service(
        name=name,
        path=node.path,
        image=_image(node, registries),
        command=_command(node.get("command")),
        args=tuple(environment.literal(arg) for arg in _strings(node.get("args"))),
        env=environment.read(node.get("env"), host=host),
        exposures=expose.read(node.get("expose")),
        depends_on=tuple(dict.fromkeys(name.strip() for name in _strings(node.get("depends-on")))),
        ready_command=_ready_command(node.get("ready-cmd")),
        files=files_and_models.files(node.get("config"), files),
        models=files_and_models.models(node.get("models")),
        mounts=files_and_models.mounts(node.get("params")),
    )


def _image(node: Node, registries: ImageRegistries) -> str:
    image = node.get("image")
    if not (text(image) or "").strip():
        if image.value is None or isinstance(image.value, str):
            refuse_missing(node, "image")
        return ""

    def allowed(written: str) -> str:
        name = image_names.reference(written)
        registries.check(name)
        return name

    return convert(image, allowed) or ""


def _command(node: Node) -> tuple[str, ...]:
    if isinstance(node.value, str) and node.value.strip():
        node.warn("should be a list; the string is run by `sh -c`")
        return ("sh", "-c", environment.literal(node.value))
    return tuple(environment.literal(word) for word in _strings(node))


def _ready_command(node: Node) -> tuple[str, ...]:
    if isinstance(node.value, str):
        return ("sh", "-c", node.value) if node.value.strip() else ()
    command = _strings(node)
    return tuple(command) if any(word.strip() for word in command) else ()


def _strings(node: Node) -> list[str]:
    if node.value == "":
        return []
    arguments = items(node)
    if len(arguments) > MAX_ARGUMENTS:
        node.refuse(f"must have at most {MAX_ARGUMENTS} items")
        return []
    return [text(item) or "" for item in arguments]
