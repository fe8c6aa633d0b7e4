"""The sandbox of a builder's processes: namespaces, limits and an environment of their own."""

import os
from collections.abc import Mapping

from app.spaces import scratch
from app.spaces.images.build_request import BuildProgram, BuildRequest, Command

# How the operator says which registries, mirrors, certificates and daemons there are.
_OPERATORS = (
    "BUILDKIT_HOST",
    "CONTAINERS_CONF",
    "CONTAINERS_REGISTRIES_CONF",
    "CONTAINERS_STORAGE_CONF",
    "DOCKER_CERT_PATH",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
)
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_FOLDERS = ("home", "tmp", "run", "storage", "docker")
_MIN_DATA_BYTES = 1 << 30
# Where `buildah` and `podman` look below HOME, after the machine's own configuration.
_REGISTRIES = ".config/containers/registries.conf.d/dockerfile.conf"
_DOCKER_HUB = 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "permissive"\n'


def environment(
    order: BuildRequest, builder: BuildProgram, ours: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return a builder's variables: of ours, only those that choose registries and daemons."""
    return {
        "PATH": ours.get("PATH") or _DEFAULT_PATH,
        "HOME": str(order.folder / "home"),
        "TMPDIR": str(order.folder / "tmp"),
        "LANG": "C.UTF-8",
        **{name: ours[name] for name in _OPERATORS if name in ours},
        **builder.environment(order),
    }


def prepare(order: BuildRequest) -> None:
    """Make the folders that a builder writes to, a list of credentials without any, and its HOME.

    In a Dockerfile `FROM team/name` means Docker Hub, whatever the machine makes of short names.
    """
    for name in _FOLDERS:
        (order.folder / name).mkdir(mode=0o700)
    registries = order.folder / "home" / _REGISTRIES
    registries.parent.mkdir(parents=True)
    registries.write_text(_DOCKER_HUB)
    write_credentials(order, b'{"auths": {}}')


def write_credentials(order: BuildRequest, content: bytes) -> None:
    """Replace the credentials that the builder finds; nobody else can read them."""
    path = order.docker_folder / "config.json"
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)


def confined(command: Command, order: BuildRequest, builder: BuildProgram) -> Command:
    """Return the command so that the kernel ends it with us, and within its limits.

    What runs steps itself gets namespaces of its own: with its first process ends every one. Where
    we are not root, it gets a user namespace, in which root is us.
    """
    leash = ["setpriv", "--pdeathsig=KILL", "--"]
    if not builder.runs_steps:
        return [*leash, *command]
    data_bytes = max(order.limits.memory_bytes, _MIN_DATA_BYTES)
    limits = [
        "prlimit",
        "--core=0",
        f"--data={data_bytes}",
        f"--fsize={order.limits.disk_bytes}",
        "--",
    ]
    return [*leash, "nice", "-n", "10", *limits, *scratch.unshare_prefix(), *command]
