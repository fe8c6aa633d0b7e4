"""Storages of a profile as volumes."""

import pytest

from k8s.workload import Capabilities, Volume
from tests.support.deployment_files import GI, Lines, Read, file

STORAGES = """[{size: 1Gi}, {name: data, size: 2Gi, attributes: {persistent: true, class: beta3}},
  {name: shm, size: 1Gi, attributes: {class: ram}}, {name: tmp, size: 3Gi}, {name: x, size: 4Gi}]"""


def stored(mounts: str, *, count: int = 1) -> str:
    """A file whose service mounts storages of its profile."""
    compute = f"{{web: {{resources: {{memory: {{size: 1Gi}}, storage: {STORAGES}}}}}}}"
    deployment = f"{{web: {{lagrange: {{profile: web, count: {count}}}}}}}"
    return file("web", compute=compute, deployment=deployment, params=f"{{storage: {mounts}}}")


def test_storages_are_volumes_where_they_are_mounted(read: Read) -> None:
    """`ram` counts as memory, a mounted disk as ephemeral storage, the rest as the container's."""
    capabilities = Capabilities(storage_classes={"beta3": "fast"})
    mounts = "{data: {mount: /data/, readOnly: true}, shm: {mount: /dev/shm}, tmp: {mount: /t}}"
    (component,) = read(stored(mounts), capabilities=capabilities).components
    assert component.volumes == (
        Volume(name="data", size_bytes=2 * GI, kind="claim", storage_class="fast"),
        Volume(name="shm", size_bytes=GI, kind="memory"),
        Volume(name="tmp", size_bytes=3 * GI),
    )
    (container,) = component.containers
    assert [(mount.volume, mount.path, mount.read_only) for mount in container.mounts] == [
        ("data", "/data", True),
        ("shm", "/dev/shm", False),  # noqa: S108 - a path in the container.
        ("tmp", "/t", False),
    ]
    assert container.resources.memory_bytes == 2 * GI
    assert container.resources.storage_bytes == 8 * GI


@pytest.mark.parametrize(
    ("mounts", "count", "capabilities", "expected"),
    [
        (
            "{gone: {mount: /x}}",
            1,
            Capabilities(),
            (
                "services.web.params.storage.gone: "
                "profiles.compute.web.resources has no storage named `gone`"
            ),
        ),
        (
            "{tmp: {mount: x}}",
            1,
            Capabilities(),
            "services.web.params.storage.tmp.mount: must be an abso",
        ),
        (
            "{tmp: {mount: /}}",
            1,
            Capabilities(),
            "services.web.params.storage.tmp.mount: must be below",
        ),
        (
            "{tmp: {mount: /a/../b}}",
            1,
            Capabilities(),
            "services.web.params.storage.tmp.mount: must not contain `..`",
        ),
        (
            "{tmp: {mount: //proc}}",
            1,
            Capabilities(),
            "services.web.params.storage.tmp.mount: `/proc`",
        ),
        (
            "{tmp: {mount: /a}, shm: {mount: /a/}}",
            1,
            Capabilities(),
            "services.web.params.storage.shm.mount: `/a` is mounted twice",
        ),
        (
            "{data: {mount: /a}}",
            1,
            Capabilities(storage_classes={"beta1": "slow"}),
            (
                "profiles.compute.web.resources.storage[1].attributes: "
                "persistent storage of class `beta3` is not offered; offered classes: beta1"
            ),
        ),
        (
            "{data: {mount: /a}}",
            2,
            Capabilities(storage_classes={"*": "slow"}),
            (
                "profiles.compute.web.resources.storage[1].attributes: "
                "persistent storage cannot be shared by 2 replicas"
            ),
        ),
    ],
)
def test_unavailable_storages_are_refused(
    refusals: Lines, mounts: str, count: int, capabilities: Capabilities, expected: str
) -> None:
    """Unknown names, reserved paths, and classes that are not offered."""
    (line,) = refusals(stored(mounts, count=count), capabilities=capabilities)
    assert line.startswith(expected)


def test_memory_does_not_persist(refusals: Lines) -> None:
    """`ram` and `persistent` contradict each other."""
    storage = "[{name: a, size: 1Gi, attributes: {class: ram, persistent: true}}]"
    compute = f"{{web: {{resources: {{storage: {storage}}}}}}}"
    (line,) = refusals(file("web", compute=compute))
    assert line.startswith("profiles.compute.web.resources.storage[0].attributes: ")
