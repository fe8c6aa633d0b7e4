"""From an event to its handler: `job.assigned` is answered by `handlers/job_assigned.py`.

Handlers are found by their names when the process starts; no list of them is kept.
"""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from app.config import Config
from app.store import AsyncStore, Change
from app.store.records import Task


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A handler's decision.

    Attributes:
        task: The task as it is afterwards, for the answer.
        changes: The changes to write; none: nothing changes.
        limited: Whether the limit of active tasks applies.
    """

    task: Task
    changes: tuple[Change, ...] = ()
    limited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerContext:
    """The provider as a handler sees it while it decides about one event.

    Attributes:
        store: Redis, for reading.
        config: The operator's configuration.
        folder: The provider's folder.
        now: Unix seconds.
        again: Whether the commit of an earlier decision on the same event met a conflict.
        new_host: Makes a host name that no task has, under the provider's domain.
    """

    store: AsyncStore
    config: Config
    folder: Path
    now: float
    again: bool
    new_host: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Handler:
    """The function that answers one type of event, and the type of that event's data."""

    payload: type[msgspec.Struct]
    handle: Callable[[Any, HandlerContext], Awaitable[Decision]]


def handlers() -> Mapping[str, Handler]:
    """Import every module of the package `handlers`; return them by event type."""
    package = importlib.import_module("handlers")
    by_type = {}
    for module_info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"handlers.{module_info.name}")
        by_type[module_info.name.replace("_", ".", 1)] = Handler(module.Payload, module.handle)
    return by_type
