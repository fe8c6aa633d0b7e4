"""Inventory of the nodes for `info`: resources in total, used, reserved and free."""

import time
from typing import Any

import click
import msgspec

from app.admission import inventory_snapshot
from app.admission.reservations import free as free_room
from app.admission.reservations.ledger import Ledger
from app.context import Context
from app.errors import Temporary
from app.store import redis_keys
from k8s.api.errors import ClusterError
from k8s.inventory import inventory
from k8s.inventory.inventory import Inventory, Node
from k8s.inventory.quantities import NAMES, ResourceAmounts

_GIB = 1 << 30


def document(context: Context) -> dict[str, Any] | None:
    """Return the inventory for `--json`; None, with a line on standard error, if unknown.

    `at` is the time of the snapshot (unix seconds). Each node has `total`, `used` (by pods),
    `reserved` (for pods to come) and `free` (for tenants), each with `cpu_millis`, `memory_bytes`,
    `storage_bytes`, `gpus` and `pods`; `gpus` by product; `withheld`: the reason why no pods of
    tenants may run there, or null; `gpus_only`: true if only pods that need a GPU may.
    """
    try:
        ledger = Ledger.read(context.store.fields(redis_keys.RESERVATIONS))
        snapshot = inventory_snapshot.read(context.store.value(redis_keys.INVENTORY))
    except (Temporary, msgspec.DecodeError) as error:
        click.echo(f"reservations are not known: {error}", err=True)
        ledger, snapshot = Ledger(), None
    if snapshot is None or not snapshot.is_valid(time.time()):
        snapshot = _read_cluster(context)
    if snapshot is None:
        return None
    return {"at": snapshot.at, "nodes": _nodes(snapshot.inventory, ledger)}


def _read_cluster(context: Context) -> inventory_snapshot.InventorySnapshot | None:
    """Read the inventory from the cluster itself, for when no watcher runs."""
    try:
        return inventory_snapshot.InventorySnapshot(time.time(), inventory.read(context.cluster))
    except ClusterError as error:
        click.echo(f"the inventory is not known: {error}", err=True)
        return None


def _nodes(current: Inventory, ledger: Ledger) -> list[dict[str, Any]]:
    reserved = free_room.reserved(current, ledger)
    free = free_room.free(current, ledger)
    return [
        _node(node, reserved[node.name], free.get(node.name, ResourceAmounts()))
        for node in current.nodes
    ]


def _node(node: Node, reserved: ResourceAmounts, free: ResourceAmounts) -> dict[str, Any]:
    return {
        "name": node.name,
        "architecture": node.architecture,
        "withheld": node.withheld or None,
        "gpus_only": node.gpus_only,
        "gpus": dict(node.products),
        "total": _amounts(node.allocatable),
        "used": _amounts(node.used),
        "reserved": _amounts(reserved),
        "free": _amounts(free),
    }


def _amounts(amounts: ResourceAmounts) -> dict[str, int]:
    return {name: getattr(amounts, name) for name in NAMES}


def print_table(document: dict[str, Any]) -> None:
    """Print the inventory as a table, with four lines for each node."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, needed for tables only.
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("NODE", "", "CPU", "MEMORY", "STORAGE", "GPUS", "PODS"):
        right = column not in {"NODE", ""}
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    for node in document["nodes"]:
        for name, part in zip(_titles(node), ("total", "used", "reserved", "free"), strict=True):
            table.add_row(name, part, *_cells(node[part]))
    console = Console()
    if not console.is_terminal:
        console = Console(width=250, highlight=False)
    console.print(table)


def _titles(node: dict[str, Any]) -> tuple[str, str, str, str]:
    """Return the node's name, and for the lines below it its GPUs and its restrictions."""
    gpus = ", ".join(f"{count} × {product}" for product, count in node["gpus"].items())
    restriction = "for GPU jobs only" if node["gpus_only"] else ""
    if node["withheld"]:
        restriction = f"not offered: {node['withheld']}"
    return node["name"], gpus, restriction, ""


def _cells(amounts: dict[str, int]) -> tuple[str, ...]:
    return (
        f"{amounts['cpu_millis'] / 1000:g}",
        f"{amounts['memory_bytes'] / _GIB:.2f} GiB",
        f"{amounts['storage_bytes'] / _GIB:.2f} GiB",
        str(amounts["gpus"]),
        str(amounts["pods"]),
    )
