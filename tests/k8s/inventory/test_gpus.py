"""GPU products as tenants, orders, drivers and nodes spell them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from k8s.inventory import gpus
from k8s.naming import names

# Every spelling of one product, and the node label that it comes to.
SPELLINGS = {
    "NVIDIA-A4000": [
        "Nvidia A4000",
        "NVIDIA RTX A4000",
        "rtxa4000",
        "rtx-a4000",
        "NVIDIA-A4000",
        "NVIDIA-RTX-A4000",
        "a4000",
        "Nvidia_A4000",
    ],
    "NVIDIA-3080": [
        "Nvidia-3080",
        "Nvidia GeForce RTX 3080",
        "GeForce RTX 3080",
        "NVIDIA 3080",
        "rtx3080",
        "NVIDIA-GeForce-RTX-3080",
        "3080 10GB",
    ],
    "NVIDIA-3080TI": ["RTX 3080 Ti", "Nvidia-3080-Ti", "rtx3080ti"],
    "NVIDIA-T4": ["Tesla T4", "NVIDIA T4", "t4", "Tesla-T4"],
    "NVIDIA-A100": [
        "A100",
        "NVIDIA A100-SXM4-80GB",
        "NVIDIA-A100-PCIE-40GB",
        "A100-SXM4-40GB",
        "a100 80Gi",
        "a10080gb",
    ],
    "NVIDIA-H100": ["NVIDIA H100 PCIe", "h100", "NVIDIA H100 80GB HBM3", "H100 NVL"],
    "NVIDIA-A6000": ["rtxa6000", "NVIDIA RTX A6000", "RTX-A6000"],
    "NVIDIA-6000ADA": ["RTX 6000 Ada", "NVIDIA RTX 6000 Ada Generation"],
    "NVIDIA-1080": ["GTX 1080", "NVIDIA GeForce GTX 1080"],
    "NVIDIA-QUADROP4000": ["Quadro P4000"],
    "NVIDIA-L40S": ["l40s", "NVIDIA L40S"],
    "NVIDIA-PRO6000SE": ["pro6000se", "NVIDIA RTX PRO 6000 Blackwell Server Edition"],
}


@pytest.mark.parametrize(
    ("label", "spelling"),
    [(label, spelling) for label, spellings in SPELLINGS.items() for spelling in spellings],
)
def test_every_spelling_comes_to_one_label(label: str, spelling: str) -> None:
    """And is the same product as every other spelling of it, and as no other product."""
    assert gpus.label(spelling) == label
    for other, spellings in SPELLINGS.items():
        assert all(gpus.is_same_model(spelling, name) is (other == label) for name in spellings)


@pytest.mark.parametrize(
    ("requested", "available", "fits"),
    [
        ("a100", "NVIDIA-A100-SXM4-80GB", True),
        ("NVIDIA-A100-80GB", "NVIDIA-A100-SXM4-80GB", True),
        ("a100 80Gi", "A100-SXM4-80GB", True),
        ("NVIDIA-A100-80GB", "NVIDIA-A100-SXM4-40GB", False),
        ("NVIDIA-A100-80GB", "NVIDIA-A100", False),
        ("NVIDIA-RTX-A4000", "NVIDIA-A4000", True),
        ("NVIDIA-A4000", "NVIDIA-RTX-A4000", True),
        ("NVIDIA-A4000", "NVIDIA-A40", False),
        ("NVIDIA-3080", "NVIDIA-3080-Ti", False),
        ("NVIDIA-RTX-4000", "NVIDIA-RTX-A4000", False),
        ("", "", False),
        ("NVIDIA", "NVIDIA", False),
    ],
)
def test_a_variant_that_is_wanted_has_to_be_there(
    requested: str, available: str, *, fits: bool
) -> None:
    """Without one any will do; another model never does."""
    assert gpus.matches(requested, available) is fits


@pytest.mark.parametrize(
    ("key", "product"),
    [
        ("NVIDIA-A4000", True),
        ("A100-SXM4-40GB", True),
        ("T4", True),
        ("Tesla-V100", True),
        ("TITAN-RTX", True),
        ("nvidia.com/gpu.present", False),
        ("feature.node.kubernetes.io/pci-10de.present", False),
        ("ssd", False),
        ("gpu", False),
        ("zone-1", False),
        ("nvidia", False),
    ],
)
def test_labels_that_name_products(key: str, *, product: bool) -> None:
    """Nodes have other labels that are `true`."""
    assert gpus.is_product(key) is product


@given(st.text(max_size=300))
@example("0G")
def test_any_text_has_a_legal_label_or_none(text: str) -> None:
    """Untrusted text never becomes a label that the API server refuses."""
    for label in (gpus.label(text), gpus.label_as_written(text), gpus.label_of_model(text)):
        assert not label or names.is_label_key(label)
    assert gpus.label(gpus.label(text)) == gpus.label(text)
