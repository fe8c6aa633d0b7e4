"""From an event to its handler: `job.assigned` is answered by `handlers/job_assigned.py`.

A handler is found by its name when the process starts; nobody lists it.
"""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from app.config import Config
from app.store import AsyncStore, Change
from app.store.records import Task


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler decided.

    Attributes:
        task: The task as it is afterwards, for the answer.
        changes: What has to be written; none: nothing changes.
        limited: Whether the limit of active tasks applies.
    """

    task: Task
    changes: tuple[Change, ...] = ()
    limited: bool = False


class Intake(Protocol):
    """What a handler may use."""

    @property
    def store(self) -> AsyncStore:
        """The memory, for reading."""

    @property
    def config(self) -> Config:
        """The operator's configuration."""

    @property
    def folder(self) -> Path:
        """The provider's folder."""

    @property
    def now(self) -> float:
        """Unix seconds."""

    @property
    def again(self) -> bool:
        """Whether this decision was made before, and what it was made upon was not so any more."""

    def new_host(self) -> str:
        """Return a fresh host name under the provider's domain."""


class Event(msgspec.Struct, frozen=True):
    """A webhook's payload (Standard Webhooks): `timestamp` is ISO 8601, `data` the event's own."""

    type: str
    data: Any
    timestamp: str = ""


@dataclass(frozen=True, slots=True)
class Handler:
    """One event's answer."""

    payload: type[msgspec.Struct]
    handle: Callable[[Any, Intake], Awaitable[Decision]]


def handlers() -> Mapping[str, Handler]:
    """Import every module of the package `handlers`; return them by event type."""
    package = importlib.import_module("handlers")
    found = {}
    for module_info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"handlers.{module_info.name}")
        found[module_info.name.replace("_", ".", 1)] = Handler(module.Payload, module.handle)
    return found
