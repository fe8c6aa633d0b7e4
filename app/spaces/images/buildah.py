"""`buildah` and `podman`: builders without a daemon, which run a Dockerfile's steps themselves."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.spaces.images.build_request import BuildRequest, Command

_CPU_PERIOD_MICROSECONDS = 100_000
# What no step of an honest build needs, of what they would have.
_DROPPED = ("CAP_MKNOD", "CAP_NET_RAW")


@dataclass(frozen=True, slots=True)
class Containers:
    """Either of the two; their storage lies in the build's folder."""

    program: str
    runs_steps: bool = True

    def environment(self, order: BuildRequest) -> Mapping[str, str]:
        """Return what tells it that it is in a user namespace already, unless we are root."""
        variables = {
            "REGISTRY_AUTH_FILE": str(order.docker_folder / "config.json"),
            "XDG_RUNTIME_DIR": str(order.folder / "run"),
        }
        if os.geteuid() != 0:
            variables["_CONTAINERS_USERNS_CONFIGURED"] = "done"
            variables["_CONTAINERS_ROOTLESS_UID"] = str(os.geteuid())
            variables["_CONTAINERS_ROOTLESS_GID"] = str(os.getegid())
        return variables

    def ready(self) -> Command | None:
        """Return what fails where there can be no namespaces."""
        return [self.program, "--version"]

    def build(self, order: BuildRequest) -> Command:
        """Return the build, without a cache that others could have filled."""
        context = order.context
        return [
            *self._start(order),
            "build",
            f"--file={order.dockerfile}",
            f"--tag={order.image}",
            "--format=docker",
            "--layers=false",
            "--force-rm",
            "--http-proxy=false",
            f"--network={order.network}",
            *([f"--isolation={order.isolation}"] if order.isolation else []),
            *(f"--cap-drop={capability}" for capability in _DROPPED),
            *self._cgroup(order),
            str(context.folder),
        ]

    def push(self, order: BuildRequest) -> Command:
        """Return the push; the credentials are in a file."""
        return [
            *self._start(order),
            "push",
            f"--digestfile={order.digest_file}",
            *(["--tls-verify=false"] if order.registry.plain_http else []),
            order.image,
            f"docker://{order.image}",
        ]

    def pushed(
        self,
        order: BuildRequest,
        output: Sequence[str],  # noqa: ARG002 - the protocol's signature
    ) -> str | None:
        """Return what it wrote."""
        return order.digest_file.read_text("ascii").strip()

    def clean(self, order: BuildRequest) -> Command | None:  # noqa: ARG002 - the protocol's signature
        """Return None: everything is in the build's folder."""
        return None

    def _start(self, order: BuildRequest) -> Command:
        driver = [f"--storage-driver={order.storage_driver}"] if order.storage_driver else []
        # Relative to where it starts: podman takes no long paths here.
        storage = [f"--root={order.folder / 'storage'}", "--runroot=run"]
        return [self.program, *storage, *driver, "--cgroup-manager=cgroupfs"]

    def _cgroup(self, order: BuildRequest) -> Command:
        """Return the limits of cgroups, which only root's containers have."""
        if order.isolation == "chroot" or os.geteuid() != 0:
            return []
        return [
            f"--cgroup-parent=/{order.cgroup}",
            f"--memory={order.limits.memory_bytes}b",
            f"--cpu-period={_CPU_PERIOD_MICROSECONDS}",
            f"--cpu-quota={round(order.limits.cores * _CPU_PERIOD_MICROSECONDS)}",
        ]
