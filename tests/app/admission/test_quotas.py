"""Quotas of `resource_policy.json`, below which the provider takes on no more."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.admission import quotas as quota_policy
from app.admission.quotas import Policy
from app.admission.reservations.ledger import Ledger, Slot
from app.errors import ConfigError
from k8s.inventory.inventory import Inventory, Node
from k8s.inventory.quantities import ResourceAmounts

GI = 1 << 30
NODE = Node(
    name="a",
    allocatable=ResourceAmounts(
        cpu_millis=8000, memory_bytes=16 * GI, storage_bytes=100 * GI, gpus=2, pods=9
    ),
    gpu_labels=("NVIDIA-RTX-3080",),
    products=(("NVIDIA-3080", 2),),
)
GPU_SLOT = Slot(name="x", component="web", node="a", amounts=ResourceAmounts(gpus=1, pods=1))
# As v0.3.0's own file, with one quota raised.
DEFAULT = """{"cpu": {"quota": 0}, "memory": {"quota": 0, "unit": "GiB"},
 "storage": {"quota": 0, "unit": "GiB"}, "gpu": [{"name": "Nvidia-2060", "quota": 0},
 {"name": "Nvidia-3080", "quota": 1}, {"name": "Nvidia-A100", "quota": 9}]}"""


def read(folder: Path, text: str) -> Policy:
    """The policy of a folder with this file."""
    (folder / "resource_policy.json").write_text(text)
    return quota_policy.load(folder)


@pytest.mark.parametrize(
    ("text", "active"),
    [
        ("{}", True),
        ('{"cpu": {"quota": 7}}', True),
        ('{"cpu": {"quota": 7.5}}', True),
        ('{"cpu": {"quota": 8}}', False),
        ('{"memory": {"quota": 15, "unit": "GiB"}}', True),
        ('{"memory": {"quota": 16}}', False),
        ('{"memory": {"quota": 17179869183, "unit": "B"}}', True),
        ('{"storage": {"quota": 1, "unit": "TiB"}}', False),
        ('{"storage": {"quota": 100000, "unit": "mib"}}', True),
        ('{"gpu": [{"name": "Nvidia-3080", "quota": 1}]}', True),
        ('{"gpu": [{"name": "NVIDIA GeForce RTX 3080", "quota": 2}]}', False),
        ('{"gpu": [{"name": "Nvidia-A100", "quota": 1}]}', True),
        (DEFAULT, True),
    ],
)
def test_active_while_what_is_free_is_above_the_quotas(
    tmp_path: Path, text: str, *, active: bool
) -> None:
    """Each in its unit; a product that no node has does not count."""
    seen = Inventory(nodes=(NODE,))
    assert quota_policy.active(seen, Ledger(), read(tmp_path, text)) is active


def test_what_is_reserved_is_not_free(tmp_path: Path) -> None:
    """Nor is what pods take, or what nodes have that take none."""
    quotas = read(tmp_path, DEFAULT)
    seen = Inventory(nodes=(NODE,))
    assert not quota_policy.active(seen, Ledger({"t:1": (GPU_SLOT,)}), quotas)
    used = replace(NODE, used_by_others=ResourceAmounts(cpu_millis=8000))
    assert not quota_policy.active(Inventory(nodes=(used,)), Ledger(), Policy())
    withheld = replace(NODE, withheld="cordoned")
    assert not quota_policy.active(Inventory(nodes=(withheld,)), Ledger(), Policy())


def test_without_a_file_anything_free_will_do(tmp_path: Path) -> None:
    """That is how v0.3.0 starts."""
    assert quota_policy.load(tmp_path) == Policy()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Input data was truncated"),
        ('{"cpu": {"quota": "many"}}', "$.cpu.quota"),
        ('{"memory": {"quota": 1, "unit": "pounds"}}', "memory.unit: 'pounds' is none of"),
        ('{"gpu": [{"quota": 1}]}', "name"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str, problem: str) -> None:
    """With the key."""
    with pytest.raises(ConfigError, match=r"resource_policy\.json") as caught:
        read(tmp_path, text)
    assert problem in str(caught.value)
