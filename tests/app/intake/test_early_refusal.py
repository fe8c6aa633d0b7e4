"""Jobs of Spaces that are known already: refused at once when they cannot run."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.admission.inventory_snapshot import InventorySnapshot
from app.admission.reservations import placement
from app.admission.reservations.ledger import Ledger, Slot
from app.context import Context, open_context
from app.store import redis_keys
from app.store.sync import encoded
from app.tasks import transitions
from k8s.inventory.inventory import Inventory, Node
from k8s.inventory.quantities import ResourceAmounts
from k8s.workload import Component, Container, Gpu, Resources, Workload
from tests.support import market
from tests.support.web_server import Answer, Web, serving

HARDWARE = "Nvidia A4000 · 4 vCPU · 32 GiB"
RESOURCES = Resources(
    cpu_millis=4000,
    memory_bytes=32 << 30,
    storage_bytes=30 << 30,
    gpu=Gpu(count=2, models=("NVIDIA-A4000",)),
)
NODE = Node(
    name="gpu-1",
    allocatable=ResourceAmounts(
        cpu_millis=64000, memory_bytes=1 << 40, storage_bytes=1 << 42, gpus=4, pods=100
    ),
    gpu_labels=("NVIDIA-A4000",),
)


@pytest.fixture
def own(provider_folder: Path) -> Iterator[Context]:
    """A provider with a folder of its own, for its prices."""
    context = open_context(str(provider_folder))
    yield context
    context.redis.close()


@pytest.fixture
def web(own: Context) -> Iterator[Web]:
    """That provider's process `web`."""
    with serving(own) as web:
        yield web


def write_inventory(context: Context, *, age: float = 0) -> None:
    """Write the watcher's snapshot of so many seconds ago: one node with four GPUs."""
    snapshot = InventorySnapshot(time.time() - age, Inventory(nodes=(NODE,)))
    context.redis.set(redis_keys.INVENTORY, msgspec.json.encode(snapshot))


def occupy(context: Context, gpus: int) -> None:
    """Reserve so many GPUs for another task."""
    slot = Slot(name="x", component="web", node="gpu-1", amounts=ResourceAmounts(gpus=gpus, pods=1))
    for guard in Ledger().reserving("x", 1, (slot,)):
        context.redis.hset(redis_keys.RESERVATIONS, guard.name, guard.becomes or "")


def known(web: Web, context: Context, *, ended: bool = True) -> dict[str, Any]:
    """Return a job whose Space was deployed, on two GPUs."""
    data = market.job()
    assert web.webhook("job.assigned", data).status == 202
    task = context.store.get(data["uuid"])
    assert task is not None
    container = Container(name="web", image="x", resources=RESOURCES)
    workload = Workload(
        task_id=task.id,
        space_uuid=task.space_uuid,
        space_name="S",
        wallet="0x",
        components=(Component(name="web", containers=(container,)),),
    )
    now = time.time()
    planned = transitions.deploying(
        task,
        now=now,
        workload=encoded(workload),
        demands=placement.encoded(workload),
        guards=(),
        notes=(),
        hardware=HARDWARE,
    )
    context.store.commit(planned)
    if ended:
        task = context.store.get(task.id)
        assert task is not None
        context.store.commit(transitions.ended(task, now=now))
    return data


def again(web: Web, data: dict[str, Any], **changes: Any) -> Answer:
    """Assign another job for the same Space."""
    source = {"job_source_uri": data["job_source_uri"]}
    return web.webhook("job.assigned", market.job() | source | changes)


@pytest.mark.parametrize(("gpus", "status"), [(0, 202), (2, 202), (3, 409), (4, 409)])
def test_no_room(web: Web, own: Context, gpus: int, status: int) -> None:
    """A job is taken to need as much as the earlier task of the same Space."""
    data = known(web, own)
    write_inventory(own)
    occupy(own, gpus)
    answer = again(web, data)
    assert answer.status == status
    if status == 409:
        assert answer.json["code"] == "no_room"
        left = 4 - gpus
        assert answer.json["detail"] == f"needs 2 × NVIDIA-A4000, {left} free on node gpu-1"
        assert len(own.store.find(data["job_source_uri"].rpartition("/")[2])) == 1


def test_an_old_snapshot_refuses_no_job(web: Web, own: Context) -> None:
    """Nor does a missing or malformed one."""
    data = known(web, own)
    occupy(own, 4)
    assert again(web, data).status == 202
    own.redis.set(redis_keys.INVENTORY, "{")
    assert again(web, data).status == 202
    write_inventory(own, age=61)
    assert again(web, data).status == 202
    write_inventory(own, age=59)
    assert again(web, data).status == 409


def test_spaces_that_are_not_known(web: Web, own: Context) -> None:
    """A new Space, one from another source, one that was never fetched: the worker decides."""
    data = known(web, own)
    write_inventory(own)
    occupy(own, 4)
    assert web.webhook("job.assigned", market.job()).status == 202
    assert again(web, data, job_source_uri=data["job_source_uri"] + "?v=2").status == 202
    unfetched = market.job()
    assert web.webhook("job.assigned", unfetched).status == 202
    assert again(web, unfetched).status == 202


def test_the_room_of_what_is_replaced_is_not_free(web: Web, own: Context) -> None:
    """A Space that still runs needs room beside itself; while it ends, the worker waits for it."""
    data = known(web, own, ended=False)
    write_inventory(own)
    occupy(own, 3)
    assert again(web, data).json["code"] == "no_room"
    assert web.webhook("job.terminated", {"job_uuid": data["uuid"]}).status == 202
    assert again(web, data).status == 202


@pytest.mark.parametrize(
    ("bid", "status"), [("", 202), ("100", 202), ("0.5", 409), ("nonsense", 409)]
)
def test_a_low_bid(web: Web, own: Context, bid: str, status: int) -> None:
    """A low bid is refused when the hardware is known: four cores at 1 SWAN an hour, for 15 min."""
    data = known(web, own)
    (own.folder / "price.toml").write_text('TARGET_CPU = "1"')
    answer = again(web, data, bid_price=bid)
    assert answer.status == status
    if status == 409:
        assert answer.json["code"] == "bid_too_low"
        assert "the price is 1 SWAN" in answer.json["detail"]


def test_prices_that_cannot_be_read_are_left_to_the_worker(web: Web, own: Context) -> None:
    """The worker reports them in the job's failure."""
    data = known(web, own)
    (own.folder / "price.toml").write_text("TARGET_CPU")
    assert again(web, data, bid_price="0.5").status == 202


def test_a_repeated_assignment_is_answered_as_before(web: Web, own: Context) -> None:
    """Room that was taken since does not matter to a job that is held."""
    data = known(web, own)
    write_inventory(own)
    message = market.signed(
        "job.assigned", market.job() | {"job_source_uri": data["job_source_uri"]}
    )
    first = web.send(message)
    occupy(own, 4)
    assert (web.send(message).status, web.send(message).body) == (202, first.body)
