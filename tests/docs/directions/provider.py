"""How the provider is, and what it does by itself."""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import msgspec
from msgspec.structs import replace

from app.admission.inventory_snapshot import KEPT, InventorySnapshot
from app.lagrange import report_thread
from app.lagrange.missed_terminations import CatchUp
from app.lagrange.report_loop import Reporter, Schedule, Schedules
from app.store import AsyncStore, budget, redis_keys
from app.store.container_log_stream import Addition, Writer
from app.store.records import Proof
from app.web import proofs
from k8s.inventory.gpu_exporter import GpuDetail, GpuFacts, Usage
from k8s.inventory.inventory import Inventory, Node
from k8s.inventory.quantities import ResourceAmounts
from tests.docs.directions.jobs import (
    FIRST,
    SPACE,
    WALLET,
    accept,
)
from tests.docs.directions.words import means
from tests.docs.story import Story
from tests.support import market
from tests.support.waiting import eventually

_GET = AsyncStore.get
_SOON = Schedule(every=0.5, timeout=5)
_PROOFS = "/api/v1/computing/lagrange/cp/proof"
_NODE = Node(
    name="gpu-1",
    machine_id="6cc1b9d9b3b74a4c8ff1b1ad0d6de3a5",
    architecture="amd64",
    allocatable=ResourceAmounts(
        cpu_millis=8000, memory_bytes=125 << 28, storage_bytes=450 << 30, gpus=1, pods=110
    ),
    used_by_others=ResourceAmounts(cpu_millis=1000, memory_bytes=2 << 30, storage_bytes=30 << 30),
    gpu_labels=("NVIDIA-A4000",),
    products=(("NVIDIA-A4000", 1),),
    facts=GpuFacts(
        driver_version="550.54.15",
        cuda_version="12.4",
        attached_gpus=1,
        details=(
            GpuDetail(
                product_name="NVIDIA A4000",
                fb_memory_usage=Usage(total="16376 MiB", used="2 MiB", free="16374 MiB"),
                bar1_memory_usage=Usage(total="256 MiB", used="1 MiB", free="255 MiB"),
            ),
        ),
    ),
)


@means("The first job's container writes a line.")
def _written(story: Story) -> None:
    writer = Writer(story.context.redis)
    writer.lease(FIRST)
    line = b"2026-11-22T13:05:00.000Z [web-5d4c8] listening on port 80\n"
    writer.append([Addition(task_id=FIRST, lines=line)])


def _worker(story: Story, end: Callable[[Proof], Proof]) -> None:
    """End the next proof that is ordered, as a worker does."""
    for name in story.context.redis.scan_iter(redis_keys.proof("*")):
        story.context.redis.delete(name)

    def work() -> None:
        while not (found := list(story.context.redis.scan_iter(redis_keys.proof("*")))):
            time.sleep(0.02)
        content = story.context.store.value(found[0].decode())
        order = msgspec.json.decode(content or b"", type=Proof)
        story.context.redis.set(found[0], msgspec.json.encode(end(order)), ex=60)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    story.stack.callback(thread.join, 5)


@means("A worker takes the next order of a proof.")
def _proves(story: Story) -> None:
    _worker(story, lambda order: replace(order, state="done", log="nonce 4711\n"))


@means("The next proof fails.")
def _proves_nothing(story: Story) -> None:
    _worker(story, lambda order: replace(order, state="failed", message="it used too much memory"))


@means("No worker takes the next order.")
def _never_proves(story: Story) -> None:
    story.patch.setattr(proofs, "MAX_WAIT_SECONDS", 0.3)


@means("A proof that this key has ordered is under way.")
def _proof_under_way(story: Story) -> None:
    story.patch.setattr(proofs, "MAX_WAIT_SECONDS", 1)
    body = market.encoded({"method": "mine", "block_data": "block 0", "exp": 2})
    secret = story.context.config.webhook.secrets[0]
    headers = market.v1(body, at=story.now, secret=secret)
    order = threading.Thread(target=story.web.post, args=(_PROOFS, body, headers))
    order.start()
    story.stack.callback(order.join, 10)
    eventually("it is", lambda: _provers(story))


@means("The proof under way ends.")
def _proof_ends(story: Story) -> None:
    eventually("it ends", lambda: not _provers(story))


def _provers(story: Story) -> list[bytes]:
    return list(story.context.redis.scan_iter(redis_keys.lock("prover:*")))


@means("The watcher has seen the cluster.")
def _seen(story: Story) -> None:
    stock = InventorySnapshot(story.now, Inventory(nodes=(_NODE,)))
    story.context.store.set_value(redis_keys.INVENTORY, msgspec.json.encode(stock), KEPT)


@means("The watcher has seen nothing for two minutes.")
def _blind(story: Story) -> None:
    assert story.now


@means("The operator has the white list `white.txt` and no black list.")
def _listed(story: Story) -> None:
    wallet = WALLET.upper().replace("X", "x")
    (story.folder / "white.txt").write_text(f"{wallet}  # visitors\n")


@means("The clock's turn to report begins.")
def _reported(story: Story) -> None:
    asyncio.run(_reports(story))


async def _reports(story: Story) -> None:
    context = story.open()
    node_id = context.identity.node_id
    catch_up = CatchUp(context.async_store, context.config, node_id)
    reporter = Reporter(
        context.async_store,
        context.config.lag,
        report_thread.provider(context),
        partial(report_thread.look, context),
        more=(catch_up.run,),
        schedules=Schedules(heartbeat=_SOON),
    )
    stopped = asyncio.Event()
    running = asyncio.create_task(reporter.run(stopped))
    wanted = {"/cp", "/cp/heartbeat", "/cp/summary", f"/cp/{node_id}/{SPACE}"}
    while not wanted <= {one.target for one in story.to_lagrange}:  # noqa: ASYNC110 - a thread's.
        await asyncio.sleep(0.02)
    stopped.set()
    await running
    await context.async_store.close()


@means("The provider has as many jobs as `MaxActive` allows.")
def _full(story: Story) -> None:
    while len(list(story.context.store.active())) < story.context.config.task.max_active:
        accept(story)


@means("The provider has a fault.")
def _faulty(story: Story) -> None:
    async def get(*_: object) -> None:
        raise ValueError("a fault")

    story.patch.setattr(AsyncStore, "get", get)


@means("The fault is mended.")
def _mended(story: Story) -> None:
    story.patch.setattr(AsyncStore, "get", _GET)


@means("Two days pass.")
def _later(story: Story) -> None:
    story.be(story.now + timedelta(days=2).total_seconds())


@means("Redis is away.")
def _without_redis(story: Story) -> None:
    story.kill_redis()


@means("Redis is back.")
def _with_redis(story: Story) -> None:
    story.start_redis()


@means("Redis is almost full.")
def _almost_full(story: Story) -> None:
    used = story.context.redis.info("memory")["used_memory"]
    story.context.redis.config_set("maxmemory", int(used * 1.1))
    assert budget.mark_full(story.context.redis)


@means("Redis has room again.")
def _with_room(story: Story) -> None:
    story.context.redis.config_set("maxmemory", 0)
    assert not budget.mark_full(story.context.redis)
