"""How jobs go on, as worker and watcher change them."""

import asyncio
from collections.abc import Callable
from functools import partial

import msgspec
from msgspec.structs import replace

from app.admission.reservations import placement
from app.admission.reservations.ledger import Ledger, Slot
from app.lagrange import result_upload
from app.lagrange.callbacks import Sender
from app.net.http_client import Fetcher
from app.spaces import source as space_source
from app.spaces.source import SourceLimits
from app.store import build_log
from app.store.job_data import JobData
from app.store.records import Reason, State, Task
from app.store.sync import encoded
from app.store.transaction import Change
from app.tasks import transitions
from k8s.inventory.quantities import ResourceAmounts
from k8s.workload import Component, Container, Gpu, Resources, Workload
from tests.docs.directions.words import means
from tests.docs.story import LAGRANGE, Story
from tests.support import market

WALLET = "0xdfe0f4a86b83b6a7e297c15312ebf85fe7f44f11"
HARDWARE = "Nvidia A4000 · 2 vCPU · 4 GiB"
FIRST = "5b444d14-7b30-4620-b16b-cbe801fa5792"
SPACE = "3d875a36-abd0-49db-8801-b533da72305c"
SECOND = "0b7a5b52-6e3a-4d0e-9d3e-1f0c5a1f7a02"
THIRD = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
_RESOURCES = Resources(
    cpu_millis=2000,
    memory_bytes=4 << 30,
    storage_bytes=30 << 30,
    gpu=Gpu(count=1, models=("NVIDIA-A4000",)),
)
_SLOT = Slot(
    name=f"{FIRST}/1",
    component="web",
    node="gpu-1",
    amounts=ResourceAmounts(
        cpu_millis=2000, memory_bytes=4 << 30, storage_bytes=30 << 30, gpus=1, pods=1
    ),
)


def accept(story: Story, **fields: object) -> None:
    """Accept a job, as web does."""
    job = msgspec.convert(market.job(**fields), JobData)
    host = f"{job.uuid[:8]}.cp.example.com"
    born = transitions.accepted(job, host=host, now=story.now, start_timeout_seconds=3600)
    story.context.store.commit(born)


def _becomes(
    story: Story, change: Callable[..., Change], of: str = FIRST, **fields: object
) -> None:
    """Carry out a change of a task, and deliver what Lagrange is told of it."""
    task = story.context.store.get(of)
    assert task
    story.context.store.commit(change(task, now=story.now, **fields))
    asyncio.run(_delivered(story))


async def _delivered(story: Story) -> None:
    context = story.open()
    store = context.async_store
    sender = Sender(store, context.config.lag, context.identity.signing_key)
    stopped = asyncio.Event()
    running = asyncio.create_task(sender.run(stopped))
    while await store.outbox_due(story.now):  # noqa: ASYNC110 - Redis.
        await asyncio.sleep(0.01)
    stopped.set()
    await running
    await store.close()


@means("A worker begins.")
def _fetching(story: Story) -> None:
    _becomes(story, transitions.fetching)


@means("It fetches the Space, which has one file.")
def _fetched(story: Story) -> None:
    folder = story.folder / "visitors"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM nginx\nEXPOSE 80\n")
    story.lagrange.add_space(folder, wallet=WALLET, hardware=HARDWARE, space_uuid=SPACE)
    asyncio.run(_downloaded(story))


async def _downloaded(story: Story) -> None:
    limits = SourceLimits(files=1, file_bytes=1000, total_bytes=1000, seconds=10)
    task = story.context.store.get(FIRST)
    assert task
    source = task.job.job_source_uri.replace(LAGRANGE, story.market_url)
    async with Fetcher(allow_private=True) as fetcher:
        space = await space_source.describe(
            fetcher, source, origins=[story.market_url], limits=limits
        )
        files = story.folder / "files"
        files.mkdir()
        await space_source.download(fetcher, space, files, limits=limits)


@means("The file is a Dockerfile, whose image is built.")
def _building(story: Story) -> None:
    _becomes(story, transitions.building)
    log = build_log.BuildLog(story.context.redis, FIRST)
    log.begin()
    for line in ("STEP 1/2: FROM nginx", "STEP 2/2: EXPOSE 80", "COMMIT"):
        log.tell(line)
    log.end()


@means("The image is pushed.")
def _pushing(story: Story) -> None:
    _becomes(story, transitions.pushing)


@means("Room is reserved.")
def _deploying(story: Story) -> None:
    container = Container(name="web", image="registry.example/lagrange/x:1", resources=_RESOURCES)
    workload = Workload(
        task_id=FIRST,
        space_uuid=SPACE,
        space_name="visitors",
        wallet=WALLET,
        components=(Component(name="web", containers=(container,)),),
    )
    _becomes(
        story,
        transitions.deploying,
        workload=encoded(workload),
        demands=placement.encoded(workload),
        guards=tuple(Ledger().reserving(FIRST, 1, (_SLOT,))),
        notes=(),
        space_name="visitors",
        wallet=WALLET,
        hardware=HARDWARE,
    )


@means("All is up.")
def _running(story: Story) -> None:
    _becomes(story, transitions.running)


@means("The result document is uploaded.")
def _uploaded(story: Story) -> None:
    result_upload.upload(story.context, FIRST)
    asyncio.run(_delivered(story))


@means("Another file of the same name is in the bucket, and this one is uploaded again.")
def _uploaded_again(story: Story) -> None:
    story.to_storage.clear()
    story.storage.files[f"jobs/{FIRST}.json"]["file_hash"] = "0" * 32
    task = story.context.store.get(FIRST)
    assert task
    forgotten = Change(before=task, after=replace(task, result_url=""), at=story.now)
    story.context.store.commit(forgotten)
    result_upload.upload(story.context, FIRST)


@means("The new version's image cannot be pulled, and the one before serves on.")
def _rolled_back(story: Story) -> None:
    _becomes(story, transitions.fetching)
    _becomes(story, transitions.deploying, workload=b"{}", demands=b"[]", guards=(), notes=())
    message = 'image "registry.example/app:1.0" of web cannot be pulled: not found'
    _becomes(story, partial(_failing, message))
    _becomes(story, transitions.running)


def _failing(message: str, task: Task, *, now: float) -> Change:
    return transitions.rolled_back(task, Reason("image_pull", message), now=now)


@means("A second job is accepted.")
def _accepted(story: Story) -> None:
    accept(story, uuid=SECOND)


@means("What there was of the second job is gone.")
def _terminated(story: Story) -> None:
    _becomes(story, transitions.ended, SECOND)


@means("The third job comes up.")
def _third_runs(story: Story) -> None:
    _becomes(story, transitions.fetching, THIRD)
    _becomes(story, transitions.running, THIRD)


@means("The third job's time is over.")
def _third_expires(story: Story) -> None:
    _becomes(story, _expiring, THIRD)
    _becomes(story, transitions.ended, THIRD)


def _expiring(task: Task, *, now: float) -> Change:
    return transitions.stopping(task, State.EXPIRED, Reason("expired", "its time is over"), now=now)
