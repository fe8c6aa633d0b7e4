"""From the files of a Space to what has to run: the same for the service and for `render`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.spaces import ldl
from app.spaces.dockerfile import Dockerfile
from app.spaces.files import Files
from app.spaces.image_registries import PUBLIC, ImageRegistries
from app.spaces.ldl.hardware import DEFAULT_STORAGE_BYTES
from k8s.naming import names as safe_names
from k8s.workload import (
    Capabilities,
    Component,
    Container,
    Mount,
    Port,
    Resources,
    Volume,
    Workload,
)

if TYPE_CHECKING:
    # It imports aiohttp, and `reader` starts a process that has no use for it.
    from app.spaces.inference import ModelDescription

# What an image gets when no order bounds it.
_UNBOUND = Resources(cpu_millis=1000, memory_bytes=1 << 30, storage_bytes=DEFAULT_STORAGE_BYTES)
# Where the images that serve models keep what they fetch.
_CACHE = "cache"
_CACHE_PATH = "/data"
_CACHE_VARIABLES = ("HF_HOME", "HUGGINGFACE_HUB_CACHE")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadNames:
    """The names of a workload: ids in lower case, the rest as the owner wrote it."""

    task_id: str
    space_uuid: str
    space_name: str
    wallet: str
    host: str
    task_uuid: str = ""
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """The workload, and warnings for the file's author."""

    workload: Workload
    warnings: tuple[str, ...]


def plan(
    names: WorkloadNames,
    files: Files,
    deploy_file: str,
    *,
    hardware: Resources | None,
    capabilities: Capabilities,
    registries: ImageRegistries = PUBLIC,
) -> Plan:
    """Read the deployment file of a Space.

    Args:
        names: Names of the objects.
        files: The Space's; `deploy_file` is one of them.
        deploy_file: The LDL file.
        hardware: The order's, which the file may not exceed; None: nothing bounds it.
        capabilities: Those of the operator's cluster.
        registries: Those that images may come from.

    Raises:
        ldl.InvalidDeployment: With every problem, by its path in the file.
        Permanent: `source_too_large`: the file is.
    """
    deployment = ldl.read(
        files.read(deploy_file, max_bytes=ldl.MAX_BYTES),
        files=files.below(deploy_file.rpartition("/")[0]),
        hardware=hardware,
        capabilities=capabilities,
        host=names.host,
        registries=registries,
    )
    workload = _workload(names, deployment.components)
    return Plan(workload, tuple(str(warning) for warning in deployment.warnings))


def plan_image(
    names: WorkloadNames, image: str, dockerfile: Dockerfile, *, hardware: Resources | None
) -> Plan:
    """Plan the one service of a Space that is built from its Dockerfile.

    Args:
        names: Names of the objects; the service is called after the Space.
        image: The image that was built.
        dockerfile: Its port gets the host name.
        hardware: The order's, all of which the service gets; None: a usual share.
    """
    service = safe_names.dns_label(names.space_name)
    number = dockerfile.port
    port = Port(number=number, service_port=number, public="host", hosts=(names.host,))
    container = Container(name=service, image=image, resources=hardware or _UNBOUND, ports=(port,))
    component = Component(name=service, containers=(container,))
    return Plan(_workload(names, (component,)), dockerfile.warnings)


def plan_model(
    names: WorkloadNames,
    model: "ModelDescription",
    image: str,
    *,
    hardware: Resources | None,
    cache_bytes: int,
) -> Plan:
    """Plan the one service of a Space that serves a model.

    Args:
        names: Names of the objects; the service is called after the Space.
        model: The model.
        image: The image that serves it, on port 80.
        hardware: The order's, all of which the service gets; None: a usual share.
        cache_bytes: The most that it may keep of models; a part of its ephemeral storage.
    """
    service = safe_names.dns_label(names.space_name)
    resources = hardware or _UNBOUND
    size_bytes = min(cache_bytes, resources.storage_bytes)
    container = Container(
        name=service,
        image=image,
        resources=resources,
        env=(
            ("TASK", model.task),
            ("MODEL_ID", model.model_id),
            *((name, _CACHE_PATH) for name in _CACHE_VARIABLES),
        ),
        ports=(Port(number=80, service_port=80, public="host", hosts=(names.host,)),),
        mounts=(Mount(volume=_CACHE, path=_CACHE_PATH),),
    )
    volume = Volume(name=_CACHE, size_bytes=size_bytes)
    component = Component(name=service, containers=(container,), volumes=(volume,))
    return Plan(_workload(names, (component,)), ())


def _workload(names: WorkloadNames, components: tuple[Component, ...]) -> Workload:
    return Workload(
        task_id=names.task_id,
        task_uuid=names.task_uuid,
        space_uuid=names.space_uuid,
        space_name=names.space_name,
        wallet=names.wallet,
        revision=names.revision,
        result_url=names.host,
        components=components,
    )
