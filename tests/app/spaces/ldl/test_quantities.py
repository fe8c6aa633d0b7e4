"""Tests of quantities, and of the hardware description of an order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.spaces.ldl import InvalidDeployment, hardware, quantities
from k8s.workload import Gpu, Resources

GI = 1 << 30


@pytest.mark.parametrize(
    ("written", "millis"),
    [("0.5", 500), ("2", 2000), ("2.0", 2000), ("100m", 100), (".1", 100), ("0.0001", 1)],
)
def test_cpu_is_cores_or_millis(written: str, millis: int) -> None:
    """Fractions are rounded up to whole thousandths."""
    assert quantities.cpu_millis(f" {written} ") == millis


@pytest.mark.parametrize(
    "written", ["", "0", "0m", "-1", "nan", "inf", "1e9", "1 core", "٣", "99999"]
)
def test_cpu_refuses_anything_but_a_positive_number(written: str) -> None:
    """Zero, negative, infinite and huge numbers are refused."""
    with pytest.raises(ValueError, match="must be"):
        quantities.cpu_millis(written)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("512Mi", 512 << 20),
        ("1gi", GI),
        ("4Gb", 4_000_000_000),
        ("512M", 512_000_000),
        ("2.5Gi", 5 * GI // 2),
        ("16 GiB", 16 * GI),
        ("32gb", 32_000_000_000),
        ("1Ti", 1024 * GI),
        ("1048576", 1 << 20),
    ],
)
def test_sizes_take_every_unit_in_any_case(written: str, size: int) -> None:
    """`i` means powers of 1024, its absence powers of 1000; a trailing B is ignored."""
    assert quantities.size_bytes(written) == size


@pytest.mark.parametrize("written", ["", "0", "-1Gi", "1Zi", "1i", "Gi", "1.2.3Gi", "2Pi", "NaN"])
def test_invalid_sizes_are_refused(written: str) -> None:
    """Zero, negative, unknown and implausible sizes are refused."""
    with pytest.raises(ValueError, match="must be"):
        quantities.size_bytes(written)


def test_a_size_without_its_unit_is_noticed() -> None:
    """`512` means bytes, too few for anything to run."""
    with pytest.raises(ValueError, match="is a unit missing"):
        quantities.size_bytes("512")


@given(st.text(max_size=30))
def test_amounts_are_positive_or_value_errors(written: str) -> None:
    """No text raises another error or yields zero."""
    for read in (quantities.cpu_millis, quantities.size_bytes):
        try:
            assert read(written) > 0
        except ValueError:
            continue


def test_an_order_without_gpu() -> None:
    """Ephemeral storage is 30Gi unless the order says otherwise."""
    assert hardware.parse("CPU only · 2 vCPU · 16 GiB") == Resources(
        cpu_millis=2000, memory_bytes=16 * GI, storage_bytes=30 * GI
    )
    assert hardware.parse("CPU only · 2 vCPU · 2 GiB", storage_bytes=GI).storage_bytes == GI


def test_an_order_with_gpu() -> None:
    """The GPU is spelled as on node labels; there is one unless the order says more."""
    assert hardware.parse("Nvidia A4000 · 4 vCPU · 32 GiB").gpu == Gpu(
        count=1, models=("NVIDIA-A4000",)
    )
    several = hardware.parse("Nvidia GeForce RTX 3080 · 4 vCPU · 32 GiB", gpu_count=4)
    assert several.gpu == Gpu(count=4, models=("NVIDIA-GeForce-RTX-3080",))


@pytest.mark.parametrize(
    "description",
    ["", "CPU only", "CPU only · two vCPU · 16 GiB", "CPU only · 2 vCPU · lots", "a · b · c · d"],
)
def test_an_order_of_another_form_is_refused(description: str) -> None:
    """The problem's path is `hardware`."""
    with pytest.raises(InvalidDeployment) as refused:
        hardware.parse(description)
    assert refused.value.problems[0].path == "hardware"


@given(st.text(max_size=60), st.none() | st.integers(), st.none() | st.integers())
def test_no_order_crashes(description: str, gpus: int | None, storage: int | None) -> None:
    """Any description is read or refused."""
    try:
        hardware.parse(description, gpu_count=gpus, storage_bytes=storage)
    except InvalidDeployment as refused:
        assert refused.problems  # noqa: PT017 - either outcome is right, no other is.
