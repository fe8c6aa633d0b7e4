"""Many processes, one Redis: nobody gets room that somebody else has."""

import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Self

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.admission.reservations.ledger import Ledger
from app.admission.reservations.placement import Demand
from app.store import Store, redis_keys
from k8s.inventory import quantities
from k8s.inventory.inventory import Inventory, Node
from k8s.inventory.quantities import ResourceAmounts
from tests.support import contenders
from tests.support.contenders import Plan

PROCESSES = 4

nodes = st.builds(
    ResourceAmounts,
    cpu_millis=st.integers(0, 8000),
    memory_bytes=st.just(1 << 36),
    gpus=st.integers(0, 4),
    pods=st.integers(1, 12),
)
demands = st.builds(
    Demand,
    component=st.sampled_from(["web", "db"]),
    replicas=st.integers(1, 3),
    amounts=st.builds(
        ResourceAmounts,
        cpu_millis=st.integers(100, 3000),
        gpus=st.integers(0, 2),
        pods=st.just(1),
    ),
    succeeds=st.booleans(),
)
several = st.lists(demands, min_size=1, max_size=2, unique_by=lambda one: one.component).map(tuple)
plans = st.builds(
    Plan,
    wanted=several,
    then=st.sampled_from(["stays", "ends", "redeployed", "rolled back"]),
    again=several,
)


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    """Processes that are there for the whole module."""
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=spawning) as found:
        yield found


def overbooked(book: Ledger, seen: Inventory) -> list[str]:
    """The nodes on which more is reserved than there is; a slot of two holders counts once."""
    slots: dict[tuple[str, str], ResourceAmounts] = {}
    for held in book.held.values():
        for slot in held:
            key = slot.node, slot.name
            slots[key] = quantities.maximum(slots.get(key, ResourceAmounts()), slot.amounts)
    found = []
    for node in seen.nodes:
        there = quantities.total(one for (name, _), one in slots.items() if name == node.name)
        if not there.fits(node.allocatable - node.used_by_others):
            found.append(node.name)
    return found


class Inspector:
    """Looks at the book all the time while others write in it."""

    def __init__(self, store: Store, seen: Inventory) -> None:
        self.found: list[str] = []
        self.looks = 0
        self._store = store
        self._seen = seen
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            self.look()

    def look(self) -> Ledger:
        """Look once."""
        book = Ledger.read(self._store.fields(redis_keys.RESERVATIONS))
        self.found += overbooked(book, self._seen)
        self.looks += 1
        return book


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(nodes, min_size=1, max_size=3), st.lists(plans, min_size=2, max_size=16))
def test_never_more_is_reserved_than_there_is(
    pool: ProcessPoolExecutor, redis_url: str, there: list[ResourceAmounts], jobs: list[Plan]
) -> None:
    """On any node, at any moment, however jobs, redeploys and ends interleave."""
    with redis.Redis.from_url(redis_url) as connection:
        connection.flushall()
        seen = Inventory(
            nodes=tuple(Node(name=f"n{i}", allocatable=one) for i, one in enumerate(there))
        )
        store = Store(connection)
        with Inspector(store, seen) as inspector:
            life = partial(contenders.live, redis_url)
            lives = [pool.submit(life, job, seen, number) for number, job in enumerate(jobs)]
            stayed = {task_id for one in lives if (task_id := one.result(timeout=30))}
        book = inspector.look()
        assert not inspector.found
        tasks = {task_id: contenders.current(store, task_id) for task_id in stayed}
        assert set(book.held) == {f"{one.id}:{one.revision}" for one in tasks.values()}


def test_two_jobs_at_once_for_the_last_room(pool: ProcessPoolExecutor, redis_url: str) -> None:
    """Of twenty that arrive together exactly as many come in as there is room for."""
    seen = Inventory(nodes=(Node(name="n", allocatable=ResourceAmounts(cpu_millis=3999, pods=99)),))
    wanted = Demand(component="web", replicas=1, amounts=ResourceAmounts(cpu_millis=1000, pods=1))
    plan = Plan((wanted,), "stays")
    lives = [pool.submit(contenders.live, redis_url, plan, seen, number) for number in range(20)]
    assert sum(bool(one.result(timeout=30)) for one in lives) == 3
