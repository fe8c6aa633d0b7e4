"""Tests of the inventory in `info`, from the watcher's snapshot."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import redis
from click.testing import CliRunner, Result

from app.admission.inventory_snapshot import InventorySnapshot
from app.admission.reservations.ledger import Ledger, Slot
from app.cli import main
from app.store import redis_keys
from k8s.inventory.inventory import Inventory, Node
from k8s.inventory.quantities import ResourceAmounts
from tests.support import market

GI = 1 << 30
HAS = ResourceAmounts(cpu_millis=8000, memory_bytes=16 * GI, storage_bytes=GI, gpus=4, pods=9)
NODES = (
    Node(
        name="gpu-1",
        architecture="amd64",
        allocatable=HAS,
        used_by_others=ResourceAmounts(cpu_millis=1250, memory_bytes=GI, gpus=1, pods=2),
        products=(("NVIDIA-A4000", 4),),
    ),
    Node(name="node-2", allocatable=HAS, withheld="cordoned"),
)
SLOT = Slot(
    name="x",
    component="web",
    node="gpu-1",
    amounts=ResourceAmounts(cpu_millis=2000, gpus=2, pods=1),
)


@pytest.fixture
def connection(redis_url: str) -> Iterator[redis.Redis]:
    """A Redis that holds an inventory and a reservation."""
    with redis.Redis.from_url(redis_url) as client:
        client.set(
            redis_keys.INVENTORY,
            msgspec.json.encode(InventorySnapshot(time.time(), Inventory(nodes=NODES))),
        )
        for guard in Ledger().reserving("x", 1, (SLOT,)):
            client.hset(redis_keys.RESERVATIONS, guard.name, guard.becomes or "")
        yield client


def info(folder: Path, *arguments: str) -> Result:
    """Run `info`."""
    return CliRunner().invoke(main, ["--cp-repo", str(folder), "info", *arguments])


def test_json(provider_folder: Path, connection: redis.Redis) -> None:
    """Each node's resources in total, used, reserved and free, in exact numbers."""
    assert connection
    result = info(provider_folder, "--json")
    assert result.exit_code == 0
    facts = json.loads(result.stdout)
    assert facts["node_id"].startswith("04")
    first, second = facts["inventory"]["nodes"]
    assert (first["name"], first["gpus"], first["withheld"]) == (
        "gpu-1",
        {"NVIDIA-A4000": 4},
        None,
    )
    assert first["total"] == {
        "cpu_millis": 8000,
        "memory_bytes": 16 * GI,
        "storage_bytes": GI,
        "gpus": 4,
        "pods": 9,
    }
    assert [first[part]["gpus"] for part in ("total", "used", "reserved", "free")] == [4, 1, 2, 1]
    assert first["free"]["cpu_millis"] == 4750
    assert (second["withheld"], set(second["free"].values())) == ("cordoned", {0})


def test_table(provider_folder: Path, connection: redis.Redis) -> None:
    """The same as a table."""
    assert connection
    lines = [line.split() for line in info(provider_folder).stdout.splitlines()]
    assert ["gpu-1", "total", "8", "16.00", "GiB", "1.00", "GiB", "4", "9"] in lines
    assert [
        "4",
        "×",
        "NVIDIA-A4000",
        "used",
        "1.25",
        "1.00",
        "GiB",
        "0.00",
        "GiB",
        "1",
        "2",
    ] in lines
    assert ["not", "offered:", "cordoned"] in [line[:3] for line in lines]


def test_without_redis_and_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing parts are named, and the rest is shown."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    (tmp_path / "config.toml").write_text(market.configuration("redis://127.0.0.1:1"))
    result = info(tmp_path, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["inventory"] is None
    assert "reservations are not known" in result.stderr
    assert "the inventory is not known: no credentials" in result.stderr
