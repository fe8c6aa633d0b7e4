"""Tests of resource shares: the part of the order that each service gets."""

import pytest

from app.spaces.ldl import Deployment, hardware
from k8s.workload import Gpu, Resources
from tests.support.deployment_files import GI, Lines, Read, file

ORDER = hardware.parse("CPU only · 2 vCPU · 4 GiB")
GPU_ORDER = hardware.parse("Nvidia A4000 · 4 vCPU · 32 GiB", gpu_count=2)
SMALL = "{resources: {cpu: {units: 0.5}, memory: {size: 1Gi}, storage: {size: 1Gi}}}"


def shares(deployment: Deployment) -> dict[str, Resources]:
    """The resources of every service."""
    return {
        container.name: container.resources
        for component in deployment.components
        for container in component.containers
    }


def test_without_order_and_profile_there_are_defaults(read: Read) -> None:
    """A core, a GiB and 30Gi of ephemeral storage."""
    assert shares(read(file("web"))) == {
        "web": Resources(cpu_millis=1000, memory_bytes=GI, storage_bytes=30 * GI)
    }


def test_services_without_profile_share_what_the_others_leave(read: Read) -> None:
    """Evenly, in whole units."""
    resources = shares(read(file("web", "a", "b", compute=f"{{web: {SMALL}}}"), hardware=ORDER))
    assert resources["web"] == Resources(cpu_millis=500, memory_bytes=GI, storage_bytes=GI)
    share = Resources(
        cpu_millis=750, memory_bytes=3 * GI // 2, storage_bytes=29 * GI // 2, gpu=None
    )
    assert resources["a"] == resources["b"] == share


def test_a_service_alone_gets_the_whole_order(read: Read) -> None:
    """GPUs included, although the file does not mention them; replicas share it."""
    assert shares(read(file("web"), hardware=GPU_ORDER)) == {"web": GPU_ORDER}
    twice = read(file("web", deployment="{web: {lagrange: {count: 2}}}"), hardware=GPU_ORDER)
    assert twice.components[0].replicas == 2
    assert shares(twice)["web"] == Resources(
        cpu_millis=2000,
        memory_bytes=16 * GI,
        storage_bytes=15 * GI,
        gpu=Gpu(count=1, models=("NVIDIA-A4000",)),
    )


def test_what_exceeds_the_order_names_the_place_in_the_profile(refusals: Lines) -> None:
    """Replicas count; every resource that is exceeded is named."""
    big = "{resources: {cpu: {units: 1.5}, memory: {size: 3Gi}, storage: {size: 16Gi}}}"
    text = file(
        "web", compute=f"{{big: {big}}}", deployment="{web: {akash: {profile: big, count: 2}}}"
    )
    place = "profiles.compute.big.resources"
    assert refusals(text, hardware=ORDER) == [
        f"{place}.cpu.units: `web` asks for 1.5 cores × 2 of CPU; the order has 2 cores",
        f"{place}.memory.size: `web` asks for 3Gi × 2 of memory; the order has 4Gi",
        f"{place}.storage: `web` asks for 16Gi × 2 of ephemeral storage; the order has 30Gi",
    ]


def test_services_that_exceed_the_order_together_are_refused(refusals: Lines) -> None:
    """Each would fit alone."""
    big = "{resources: {cpu: {units: 0.5}, memory: {size: 3Gi}, storage: {size: 1Gi}}}"
    lines = refusals(file("a", "b", compute=f"{{a: {big}, b: {big}}}"), hardware=ORDER)
    assert [line.split(": ")[0] for line in lines] == [
        "profiles.compute.a.resources.memory.size",
        "profiles.compute.b.resources.memory.size",
    ]
    assert lines[0].endswith("which together with the other services exceeds the order's 4Gi")


def test_nothing_left_is_a_refusal(refusals: Lines) -> None:
    """A service without profile needs something to run with."""
    all_of_it = "{resources: {cpu: {units: 2}, memory: {size: 4Gi}, storage: {size: 30Gi}}}"
    lines = refusals(file("a", "b", compute=f"{{a: {all_of_it}}}"), hardware=ORDER)
    assert len(lines) == 3
    assert lines[0].startswith("deployment.b: nothing is left") or lines[0].startswith(
        "services.b: nothing is left"
    )


@pytest.mark.parametrize(
    ("gpu", "expected"),
    [
        ("{units: 1, attributes: {vendor: {nvidia: [{model: RTX A4000}]}}}", 1),
        ("{units: 2, attributes: {vendor: {nvidia: [{model: t4}, {model: rtxa4000}]}}}", 2),
        ("{units: 1, attributes: {vendor: {nvidia: ~}}}", 1),
        ("{units: 1}", 1),
        ("{units: 0}", None),
    ],
)
def test_gpus_of_the_order_satisfy_a_profile(read: Read, gpu: str, expected: int | None) -> None:
    """The label is the order's, however the file spells the model."""
    compute = f"{{web: {{resources: {{cpu: {{units: 1}}, gpu: {gpu}}}}}}}"
    granted = shares(read(file("web", compute=compute), hardware=GPU_ORDER))["web"].gpu
    assert granted == (Gpu(count=expected, models=("NVIDIA-A4000",)) if expected else None)


@pytest.mark.parametrize(
    ("gpu", "order", "path"),
    [
        ("{units: 3}", GPU_ORDER, "units"),
        ("{units: 1}", ORDER, "units"),
        ("{units: x}", GPU_ORDER, "units"),
        ("{}", GPU_ORDER, "units"),
        ("{units: 1, attributes: {vendor: {nvidia: [{model: h100}]}}}", GPU_ORDER, "attributes"),
        ("{units: 1, attributes: {vendor: {amd: ~}}}", GPU_ORDER, "attributes.vendor.amd"),
    ],
)
def test_gpus_that_the_order_lacks_are_refused(
    refusals: Lines, gpu: str, order: Resources, path: str
) -> None:
    """Too many, another model, or any if the order has none."""
    compute = f"{{web: {{resources: {{gpu: {gpu}}}}}}}"
    (line,) = refusals(file("web", compute=compute), hardware=order)
    assert line.startswith(f"profiles.compute.web.resources.gpu.{path}: ")


def test_without_order_models_become_labels(read: Read) -> None:
    """Upper case, dashes for spaces; memory and interface do not matter."""
    nvidia = "[{model: rtx4090, ram: 24Gi, interface: pcie}, {model: 'A100 80GB'}]"
    gpu = f"{{units: 8, attributes: {{vendor: {{nvidia: {nvidia}}}}}}}"
    compute = f"{{web: {{resources: {{gpu: {gpu}}}}}}}"
    assert shares(read(file("web", compute=compute)))["web"].gpu == Gpu(
        count=8, models=("NVIDIA-RTX4090", "NVIDIA-A100-80GB")
    )


@pytest.mark.parametrize(
    ("resources", "path"),
    [
        ("{cpu: {units: 0}}", "cpu.units"),
        ("{cpu: {units: .nan}}", "cpu.units"),
        ("{cpu: {units: [1, 2]}}", "cpu.units"),
        ("{cpu: 1}", "cpu"),
        ("{memory: {size: 512}}", "memory.size"),
        ("{memory: {size: -1Gi}}", "memory.size"),
        ("{storage: [{name: a}]}", "storage[0].size"),
        ("{storage: [{name: a, size: 1Gi}, {name: a, size: 1Gi}]}", "storage[1].name"),
    ],
)
def test_invalid_amounts_are_refused(refusals: Lines, resources: str, path: str) -> None:
    """The path leads to the amount."""
    (line,) = refusals(file("web", compute=f"{{web: {{resources: {resources}}}}}"))
    assert line.startswith(f"profiles.compute.web.resources.{path}: ")


@pytest.mark.parametrize(
    ("deployment", "expected"),
    [
        ("{wep: {lagrange: {count: 1}}}", "deployment.wep: there is no service of this name; did"),
        ("{web: {akash: {count: 0}}}", "deployment.web.akash.count: must be from 1 to 100"),
        ("{web: {akash: {count: 101}}}", "deployment.web.akash.count: must be from 1 to 100"),
        ("{web: {akash: {profile: wbe}}}", "deployment.web.akash.profile: `profiles.compute` has"),
        ("{web: 1}", "deployment.web: must be a mapping"),
        ("{web: {akash: 1}}", "deployment.web.akash: must be a mapping"),
    ],
)
def test_deployments_that_contradict_the_file_are_refused(
    refusals: Lines, deployment: str, expected: str
) -> None:
    """Names must exist; counts are from 1 to 100."""
    lines = refusals(file("web", compute=f"{{web: {SMALL}}}", deployment=deployment))
    assert lines[0].startswith(expected)


@pytest.mark.parametrize("entry", ["{profile: web, count: 1}", "{akash: ~}", "{a: {}, b: {}}"])
def test_other_spellings_of_a_deployment_are_read(read: Read, entry: str) -> None:
    """An entry with a single meaning is accepted, with a warning."""
    text = file("web", compute=f"{{web: {SMALL}}}", deployment=f"{{web: {entry}}}")
    assert shares(read(text))["web"].cpu_millis == 500


def test_a_service_that_is_not_deployed_does_not_run(read: Read) -> None:
    """Its author is warned."""
    deployment = read(file("web", "other", deployment="{web: {lagrange: {count: 1}}}"))
    assert [component.name for component in deployment.components] == ["web"]
    assert "services.other: is not in `deployment` and does not run" in map(
        str, deployment.warnings
    )
