"""Rendered workloads: the golden files, and properties that they do not show."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from k8s import render
from k8s.inventory import pod_requests
from k8s.manifests import pull_secrets
from k8s.policy import check
from k8s.workload import Capabilities, Component, Container, Model, Port, Resources, Workload
from tests.support.documents import ROOT

HERE = Path(__file__).parent
RENDERED = HERE / "rendered"
CAPABILITIES = Capabilities(
    node_ports=True,
    load_balancers=True,
    domain="cp.example.com",
    blocked_networks=("10.200.0.2/32", "1.2.3.0/24", "2600:db8:1::/48"),
)
GATEWAY = replace(CAPABILITIES, gateway="gateways/public", runtime_class="gvisor")


def _workload(name: str) -> Workload:
    text = (HERE / "workloads" / f"{name}.json").read_bytes()
    return msgspec.json.decode(text, type=Workload)


def _addresses(manifests: list[render.Manifest]) -> dict[str, str]:
    services = [m["metadata"]["name"] for m in manifests if m["kind"] == "Service"]
    return {name: f"10.96.0.{number}" for number, name in enumerate(services, start=10)}


def _of(manifests: list[render.Manifest], kind: str) -> list[Any]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def _spec(manifests: list[render.Manifest], number: int = 0) -> Any:
    return _of(manifests, "Deployment")[number]["spec"]["template"]["spec"]


def _single(**changes: Any) -> Workload:
    """The smallest Space, its only container changed."""
    workload = _workload("single")
    (component,) = workload.components
    container = replace(component.containers[0], **changes)
    return replace(workload, components=(replace(component, containers=(container,)),))


@pytest.mark.parametrize(
    ("name", "capabilities", "golden"),
    [
        ("single", Capabilities(), "single"),
        ("everything", CAPABILITIES, "everything"),
        ("everything", GATEWAY, "gateway"),
        ("hostile", CAPABILITIES, "hostile"),
        ("models", CAPABILITIES, "models"),
    ],
)
def test_rendered_as_before(name: str, capabilities: Capabilities, golden: str) -> None:
    """Manifests equal the golden file; `UPDATE_RENDERED=1` rewrites it."""
    workload = _workload(name)
    first = render.workload(workload, capabilities)
    manifests = render.workload(workload, capabilities, addresses=_addresses(first))
    for deployment in _of(manifests, "Deployment"):
        for container in deployment["spec"]["template"]["spec"].get("initContainers", ()):
            container["args"][0] = "(k8s/manifests/model_fetcher.py)"
    text = yaml.safe_dump_all(manifests, sort_keys=False, width=100, allow_unicode=True)
    file = RENDERED / f"{golden}.yaml"
    if os.environ.get("UPDATE_RENDERED"):
        file.write_text(text)
    assert text == file.read_text()


def test_order() -> None:
    """Whatever an object needs comes before it, the namespace first."""
    kinds = [
        manifest["kind"] for manifest in render.workload(_workload("everything"), CAPABILITIES)
    ]
    assert list(dict.fromkeys(kinds)) == [
        "Namespace",
        "ResourceQuota",
        "LimitRange",
        "NetworkPolicy",
        "ConfigMap",
        "PersistentVolumeClaim",
        "Service",
        "Deployment",
        "PodDisruptionBudget",
        "Ingress",
    ]


def test_selectors_outlive_a_task() -> None:
    """A later task of the same Space has the same names and the same immutable selectors."""
    workload = _workload("everything")
    later = replace(workload, task_id="99999999-0000-0000-0000-000000000000", revision=1)
    earlier_objects, later_objects = (
        [(m["metadata"]["name"], m["spec"]["selector"]) for m in _of(manifests, "Deployment")]
        for manifests in (render.workload(w, CAPABILITIES) for w in (workload, later))
    )
    assert earlier_objects == later_objects


def test_services_know_each_other_by_name() -> None:
    """Pods find other services at their ClusterIP, and those of their own pod at 127.0.0.1."""
    workload = _workload("everything")
    manifests = render.workload(
        workload, CAPABILITIES, addresses=_addresses(render.workload(workload, CAPABILITIES))
    )
    worker, web = (
        {alias["ip"]: alias["hostnames"] for alias in _spec(manifests, number)["hostAliases"]}
        for number in (0, 1)
    )
    assert worker == {
        "127.0.0.1": ["worker"],
        "10.96.0.10": ["db"],
        "10.96.0.11": ["web"],
        "10.96.0.13": ["game"],
    }
    assert web["127.0.0.1"] == ["db", "web"]


def test_our_environment_wins() -> None:
    """A Space cannot tell its container to be another job, and a name is given once."""
    container = _spec(render.workload(_workload("single"), Capabilities()))["containers"][0]
    env = {variable["name"]: variable["value"] for variable in container["env"]}
    assert env["job_uuid"] == _workload("single").task_id
    assert env["GREETING"] == "a=b"
    assert env["EMPTY"] == ""
    assert len(env) == len(container["env"])


def test_overrides_may_add(tmp_path: Path) -> None:
    """An operator's template may change what the rules leave open."""
    built_in = ROOT / "k8s" / "templates" / "deployment.yaml"
    added = "      priorityClassName: tenants\n      containers:"
    text = built_in.read_text().replace("      containers:", added)
    (tmp_path / "deployment.yaml").write_text(text)
    manifests = render.workload(_workload("single"), Capabilities(), overrides=tmp_path)
    assert _spec(manifests)["priorityClassName"] == "tenants"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("      restartPolicy: Always\n", "      restartPolicy: Always\n      hostNetwork: true\n"),
        ("enableServiceLinks: false", "enableServiceLinks: true"),
        ("      containers:", "      initContainers: [{name: x, image: y}]\n      containers:"),
        ("seccompProfile: {type: RuntimeDefault}", "seccompProfile: {type: Unconfined}"),
        ("matchLabels: ${selector}", "matchLabels: {a: b}"),
        ("spec:\n  replicas", "specs:\n  replicas"),
    ],
)
def test_overrides_cannot_weaken(tmp_path: Path, before: str, after: str) -> None:
    """An operator's template that opens a door is refused before anything is applied."""
    built_in = (ROOT / "k8s" / "templates" / "deployment.yaml").read_text()
    assert before in built_in
    (tmp_path / "deployment.yaml").write_text(built_in.replace(before, after))
    with pytest.raises(check.Violation, match=r"^Deployment/deploy-"):
        render.workload(_workload("single"), Capabilities(), overrides=tmp_path)


PORT = Port(number=80, service_port=80, public="host", hosts=("a.example.com",))
NO_CORES = Resources(cpu_millis=1, memory_bytes=1, storage_bytes=1)
MODEL = Model(url="https://x", directory="/m", name="m")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        (
            {"models": (MODEL,), "resources": replace(NO_CORES, storage_bytes=0)},
            "services.web.models",
        ),
        ({"models": (MODEL, MODEL)}, "services.web.models"),
        ({"ports": (replace(PORT, public="node"),)}, "services.web.expose"),
        ({"ports": (replace(PORT, public="address", endpoint="a"),)}, "endpoints"),
        ({"ports": (replace(PORT, hosts=()),)}, "services.web.expose"),
        ({"ports": (replace(PORT, hosts=("a b",)),)}, "services.web.expose"),
        ({"ports": (PORT, replace(PORT, service_port=81))}, "services.web.expose"),
        ({"ports": (PORT, replace(PORT, number=81, hosts=("b.c",)))}, "services.web.expose"),
        ({"ports": (replace(PORT, clients=("db",)),)}, "services"),
    ],
)
def test_unsupported_names_the_place(changes: dict[str, Any], path: str) -> None:
    """An unsupported feature is refused with its place in the file."""
    with pytest.raises(render.Unsupported) as refused:
        render.workload(_single(**changes), Capabilities())
    assert refused.value.path == path


def test_models_change_nothing_that_is_reserved() -> None:
    """An init container asks for no more than its service, so what a pod takes stays the same."""
    workload = _workload("models")
    bare = replace(
        workload,
        components=tuple(
            replace(
                component,
                containers=tuple(
                    replace(container, models=()) for container in component.containers
                ),
            )
            for component in workload.components
        ),
    )
    with_models, without = (
        pod_requests.by_component(render.workload(w, CAPABILITIES)) for w in (workload, bare)
    )
    assert with_models == without


def test_a_template_without_init_containers_is_refused(tmp_path: Path) -> None:
    """A pod whose models nobody would fetch is never applied."""
    built_in = (ROOT / "k8s" / "templates" / "deployment.yaml").read_text()
    text = built_in.replace("      initContainers: ${init_containers}\n", "")
    (tmp_path / "deployment.yaml").write_text(text)
    render.workload(_workload("single"), CAPABILITIES, overrides=tmp_path)
    with pytest.raises(check.Violation, match="has to have initContainers"):
        render.workload(_workload("models"), CAPABILITIES, overrides=tmp_path)


@pytest.mark.parametrize(
    ("image", "needed"),
    [
        (f"r.example/lagrange/transformers:v1.0@sha256:{'0' * 64}", True),
        (f"r.example/lagrange/transformers:v2.0@sha256:{'0' * 64}", False),
        (f"r.example/lagrange/{'a' * 8}-b:v1.0@sha256:{'0' * 64}", False),
        (f"other.example/lagrange/transformers:v1.0@sha256:{'0' * 64}", False),
    ],
)
def test_images_that_serve_models_are_pulled_with_credentials(image: str, *, needed: bool) -> None:
    """They are in the operator's registry; beside an image of somebody else's they are not."""
    capabilities = replace(Capabilities(), private_images="r.example/lagrange")
    workload = _single(image=image)
    assert pull_secrets.is_needed(workload, capabilities) is needed
    (component,) = workload.components
    stranger = replace(component.containers[0], name="x", image=f"r.example/lagrange/y@{'0' * 64}")
    both = replace(component, containers=(*component.containers, stranger))
    assert not pull_secrets.is_needed(replace(workload, components=(both,)), capabilities)


def test_names_that_meet_are_refused() -> None:
    """Two services whose names lead to the same object are never merged into one."""
    workload = _workload("single")
    twin = Component(name="web", containers=(Container(name="web", image="x", resources=NO_CORES),))
    with pytest.raises(check.Violation, match="its name or its pods"):
        render.workload(replace(workload, components=(*workload.components, twin)), Capabilities())
