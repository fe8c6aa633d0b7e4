"""Placement of pods on nodes, and the messages when there is no room."""

from dataclasses import replace

import pytest

from app.admission.reservations import free as free_room
from app.admission.reservations import placement
from app.admission.reservations.ledger import Ledger
from app.admission.reservations.placement import Demand, NoRoom
from k8s.inventory.inventory import Tenant
from k8s.inventory.quantities import ResourceAmounts
from tests.support.placing import GI, demand, held, inventory, node, placed, pod, refused


def test_a_fit_is_per_node_and_not_in_sum() -> None:
    """Two halves of what is needed are not room."""
    seen = inventory(node("a", gpus=1), node("b", gpus=1))
    assert placed(seen, demand(gpus=1, replicas=2)) == ["a", "b"]
    assert refused(seen, demand(gpus=2)) == "needs 2 × GPU, 1 free on node a"


@pytest.mark.parametrize("model", ["NVIDIA-A4000", "NVIDIA-RTX-A4000", "rtxa4000"])
def test_what_is_missing_is_said(model: str) -> None:
    """With the product, and the node that comes nearest."""
    gpu = node("gpu-1", gpus=4)
    book = Ledger({"x:1": (held("x", "gpu-1", gpus=3), held("y", "gpu-2", gpus=4))})
    seen = inventory(node("cpu-1"), gpu, replace(gpu, name="gpu-2"))
    why = refused(seen, demand(gpus=2, model=model), book=book)
    assert why == "needs 2 × NVIDIA-A4000, 1 free on node gpu-1"


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (demand(cpu=8.5), "needs 8.5 CPU, 8 free on node a"),
        (demand(gpus=1, model="NVIDIA-H100"), "needs 1 × NVIDIA-H100, which no node has"),
        (
            replace(demand(), amounts=ResourceAmounts(memory_bytes=64 * GI, pods=1)),
            "needs 64 GiB of memory, 32 GiB of memory free on node a",
        ),
        (
            replace(
                demand(), amounts=ResourceAmounts(cpu_millis=9000, storage_bytes=200 * GI, pods=1)
            ),
            (
                "needs 9 CPU and 200 GiB of ephemeral storage,"
                " 8 CPU and 100 GiB of ephemeral storage free on node a"
            ),
        ),
        (demand(cpu=9, gpus=1), "needs 9 CPU and 1 × GPU, 8 CPU and 0 GPUs free on node a"),
        (
            demand(cpu=5, replicas=3),
            "needs 5 CPU, 3 free on node a, for pod 3 of 3 of web beside the job's others",
        ),
    ],
)
def test_every_shortage_has_its_words(wanted: Demand, reason: str) -> None:
    """Each resource in its unit."""
    assert refused(inventory(node("a"), node("b")), wanted) == reason


def test_no_nodes() -> None:
    """Nothing fits on nodes that take no pods, whatever they have."""
    cordoned = replace(node("a"), withheld="cordoned")
    assert refused(inventory(cordoned), demand()).startswith("no node")
    assert refused(inventory(), demand()).startswith("no node")


def test_nodes_for_gpus_only() -> None:
    """A pod that needs no GPU does not get there, wherever else there is room or not."""
    gpus_only = replace(node("a", gpus=2), gpus_only=True)
    why = "needs no GPU, and each node that takes pods is for those that do"
    assert refused(inventory(gpus_only), demand()) == why
    assert placed(inventory(gpus_only, node("b")), demand()) == ["b"]
    assert placed(inventory(gpus_only, node("b")), demand(gpus=1)) == ["a"]


def test_a_node_takes_only_so_many_pods() -> None:
    """However small they are."""
    seen = inventory(node("a", pods=2))
    why = "needs 1 pod, 0 free on node a, for pod 3 of 3 of web beside the job's others"
    assert refused(seen, demand(cpu=0.01, replicas=3)) == why


def test_the_largest_are_placed_first() -> None:
    """A component that comes first in the file leaves the room of one that only fits there."""
    seen = inventory(node("a", cpu_millis=4000), node("b", cpu_millis=2000))
    small, large = demand(cpu=2, component="small"), demand(cpu=4, component="large")
    slots = placement.place((small, large), seen, Ledger(), task_id="t", revision=1)
    assert {slot.component: slot.node for slot in slots} == {"large": "a", "small": "b"}


def test_nodes_with_gpus_are_kept_for_those_who_need_them() -> None:
    """Even when they have more of all else; and GPUs are taken where fewest are left over."""
    seen = inventory(node("a", gpus=4), node("b"), node("c", gpus=2))
    assert placed(seen, demand(cpu=1)) == ["b"]
    assert placed(seen, demand(gpus=2)) == ["c"]


def test_a_container_for_each_product() -> None:
    """A pod fits where every one of its containers finds its GPUs."""
    mixed = replace(node("b", gpus=4), gpu_labels=("NVIDIA-A4000", "NVIDIA-T4"))
    seen = inventory(node("a", gpus=4), mixed)
    both = replace(demand(gpus=2), models=(("NVIDIA-A4000",), ("Tesla T4", "NVIDIA-H100")))
    assert placed(seen, both) == ["b"]


def test_pods_count_where_they_are() -> None:
    """A slot's pod that was put elsewhere takes room there, and none where it was reserved."""
    book = Ledger({"x:1": (held("x", "a", cpu=8),)})
    assert placed(inventory(node("a"), node("b")), demand(cpu=8), book=book) == ["b"]
    there = replace(node("b"), tenants=(pod("x", cpu=8),))
    assert placed(inventory(node("a"), there), demand(cpu=8), book=book) == ["a"]


@pytest.mark.parametrize(
    ("tenant", "free"),
    [
        (None, 6000),
        (pod("x", cpu=2), 6000),
        (pod("x", cpu=2, ending=True), 4000),
        (pod("x", cpu=2, revision=2), 4000),
        (pod("y", cpu=3), 3000),
    ],
)
def test_nothing_counts_twice_and_nothing_is_left_out(tenant: Tenant | None, free: int) -> None:
    """A pod with its slot counts once; one that ends beside its successor, or has no slot, too."""
    one = replace(node("a"), tenants=(tenant,) if tenant else ())
    book = Ledger({"x:1": (held("x", "a", cpu=2),)})
    assert free_room.free(inventory(one), book)["a"].cpu_millis == free


def test_what_others_take_is_not_free() -> None:
    """And what is free is never less than nothing."""
    one = replace(
        node("a"), used_by_others=ResourceAmounts(cpu_millis=9000, memory_bytes=GI, pods=3)
    )
    found = free_room.free(inventory(one), Ledger())["a"]
    assert (found.cpu_millis, found.memory_bytes, found.pods) == (0, 31 * GI, 7)


def test_a_version_needs_room_beside_the_one_that_it_replaces() -> None:
    """One pod more than there are, while the others are replaced one by one."""
    seen = inventory(node("a", cpu_millis=4000))
    before = tuple(held(f"t:1:web:{number}", "a") for number in range(3))
    book = Ledger({"t:1": before})
    slots = placement.place(
        (demand(replicas=3),), seen, book, task_id="t", revision=2, before=before
    )
    names = {slot.name for slot in slots}
    assert len(names) == 3
    assert len(names - {slot.name for slot in before}) == 1
    full = Ledger({**book.held, "u:1": (held("u", "a"),)})
    with pytest.raises(NoRoom):
        placement.place((demand(replicas=3),), seen, full, task_id="t", revision=2, before=before)


@pytest.mark.parametrize(("cpu", "fits"), [(1, True), (2, False)])
def test_only_slots_that_are_large_enough_are_inherited(cpu: float, *, fits: bool) -> None:
    """A pod that is larger than before needs room of its own."""
    seen = inventory(node("a", cpu_millis=4000))
    before = tuple(held(f"t:1:web:{number}", "a") for number in range(2))
    book = Ledger({"t:1": before})
    wanted = demand(cpu=cpu, replicas=2)
    if fits:
        assert placed(seen, wanted, book=book, before=before) == ["a", "a"]
        return
    with pytest.raises(NoRoom):
        placed(seen, wanted, book=book, before=before)


def test_what_starts_after_the_end_of_the_old_takes_all_its_room() -> None:
    """Volumes that can be used only once make the old pods go first."""
    seen = inventory(node("a", cpu_millis=1000))
    before = (held("t:1:web:0", "a"),)
    wanted = replace(demand(), succeeds=True)
    assert placed(seen, wanted, book=Ledger({"t:1": before}), before=before) == ["a"]


def test_a_slot_is_inherited_where_its_pod_is() -> None:
    """Not where it was once reserved."""
    before = (held("t:1:web:0", "a", cpu=8),)
    there = replace(node("b"), tenants=(pod("t", cpu=8),))
    wanted = replace(demand(cpu=8), succeeds=True)
    seen = inventory(node("a"), there)
    assert placed(seen, wanted, book=Ledger({"t:1": before}), before=before) == ["b"]


def test_slots_of_the_same_revision_are_given_up() -> None:
    """Deciding again does not need the room twice."""
    seen = inventory(node("a", cpu_millis=1000))
    book = Ledger({"t:2": (held("t:2:web:0", "a"),)})
    assert placed(seen, demand(), book=book) == ["a"]


def test_what_is_held_is_kept() -> None:
    """Room for exactly these pods is kept while its nodes take them; else it is looked for anew."""
    seen = inventory(node("a"), node("b", gpus=2))
    wanted = (demand(2, replicas=2), demand(1, 1, component="gpu", model="NVIDIA-A4000"))
    slots = placement.place(wanted, seen, Ledger(), task_id="t", revision=2)
    assert placement.holds(wanted, seen, slots)
    assert not placement.holds(wanted, seen, ())
    assert not placement.holds(wanted[:1], seen, slots)
    assert not placement.holds((demand(3, replicas=2), wanted[1]), seen, slots)
    assert not placement.holds((demand(2, replicas=1), wanted[1]), seen, slots)
    assert not placement.holds(wanted, inventory(node("b", gpus=2)), slots)
    assert not placement.holds(wanted, inventory(node("a"), node("b")), slots)
