"""The shapes that manifests must have where the controllers rely on them."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from app.demo.cluster import api_errors
from app.demo.cluster.resources import Json, Resource
from k8s.inventory import quantities

_Count = Annotated[int, Meta(ge=0)]
_Port = Annotated[int, Meta(ge=1, le=65535)]
_Share = int | Annotated[str, Meta(pattern=r"^[0-9]{1,3}%$")]
_Amounts = dict[str, str | int]
_Strings = dict[str, str]


class _Reference(Struct):
    name: str


class _Expression(Struct):
    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: list[str] = []


class _Selector(Struct, rename="camel"):
    match_labels: _Strings = {}
    match_expressions: list[_Expression] = []


class _Resources(Struct):
    requests: _Amounts = {}
    limits: _Amounts = {}


class _Sources(Struct, rename="camel"):
    config_map_ref: _Reference | None = None
    secret_ref: _Reference | None = None
    config_map_key_ref: _Reference | None = None
    secret_key_ref: _Reference | None = None


class _Variable(Struct, rename="camel"):
    name: str
    value: str = ""
    value_from: _Sources | None = None


class _ContainerPort(Struct, rename="camel"):
    container_port: _Port


class _Container(Struct, rename="camel"):
    name: str
    image: str
    command: list[str] = []
    args: list[str] = []
    env: list[_Variable] = []
    env_from: list[_Sources] = []
    ports: list[_ContainerPort] = []
    resources: _Resources = msgspec.field(default_factory=_Resources)
    restart_policy: str = ""


class _Claim(Struct, rename="camel"):
    claim_name: str


class _Volume(Struct, rename="camel"):
    name: str
    persistent_volume_claim: _Claim | None = None


class _Terms(Struct, rename="camel"):
    node_selector_terms: list[_Selector]


class _NodeAffinity(Struct, rename="camel"):
    required_during_scheduling_ignored_during_execution: _Terms | None = None


class _Affinity(Struct, rename="camel"):
    node_affinity: _NodeAffinity | None = None


class _PodSpec(Struct, rename="camel"):
    containers: Annotated[list[_Container], Meta(min_length=1)]
    init_containers: list[_Container] = []
    volumes: list[_Volume] = []
    node_selector: _Strings = {}
    affinity: _Affinity | None = None
    termination_grace_period_seconds: _Count = 30


class _Metadata(Struct):
    labels: _Strings = {}
    annotations: _Strings = {}


class _Template(Struct):
    spec: _PodSpec
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class _Rolling(Struct, rename="camel"):
    max_surge: _Share = 1
    max_unavailable: _Share = 1


class _Strategy(Struct, rename="camel"):
    type: Literal["RollingUpdate", "Recreate"] = "RollingUpdate"
    rolling_update: _Rolling | None = None


class _Deployment(Struct, rename="camel"):
    selector: _Selector
    template: _Template
    replicas: Annotated[int, Meta(ge=0, le=10_000)] = 1
    progress_deadline_seconds: _Count = 600
    strategy: _Strategy = msgspec.field(default_factory=_Strategy)


class _ServicePort(Struct, rename="camel"):
    port: _Port
    protocol: str = ""
    node_port: _Port | None = None


class _Service(Struct, rename="camel"):
    ports: list[_ServicePort] = []
    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] = "ClusterIP"
    cluster_ip: str = msgspec.field(default="", name="clusterIP")


class _ClaimSpec(Struct, rename="camel"):
    resources: _Resources
    storage_class_name: str = ""


class _Quota(Struct):
    hard: _Amounts = {}


_SPECS: dict[str, type[Struct]] = {
    "Deployment": _Deployment,
    "Service": _Service,
    "PersistentVolumeClaim": _ClaimSpec,
    "ResourceQuota": _Quota,
}
_AMOUNTS = {"requests", "limits", "hard"}


def check(resource: Resource, name: str, manifest: Json) -> None:
    """Raise `Failure` when a manifest's metadata or spec cannot be worked with."""
    try:
        msgspec.convert(manifest.get("metadata"), _Metadata)
        if resource.kind in _SPECS:
            msgspec.convert(manifest.get("spec", {}), _SPECS[resource.kind])
            _check_amounts(manifest.get("spec"))
    except ValueError as error:
        raise api_errors.invalid(resource, name, "spec", f"Invalid value: {error}") from error


def _check_amounts(part: Any) -> None:
    """Raise `ValueError` for what is no quantity, or negative, where one has to be."""
    if isinstance(part, list):
        for item in part:
            _check_amounts(item)
    if not isinstance(part, dict):
        return
    for field, value in part.items():
        if field in _AMOUNTS and isinstance(value, dict):
            for amount in value.values():
                if quantities.parse(amount) < 0:
                    raise ValueError(f"{amount} must be greater than or equal to 0")
        else:
            _check_amounts(value)
