"""Internals of dependencies that we override or use: what breaks when those move.

None of this is promised to stay, so such a dependency is bounded below its next release that may
change it. Whoever raises a bound reads here what to look at.
"""

import inspect
import tomllib
from typing import Any

import pytest
import redis
import uvicorn
from rq import Queue, Worker
from rq.job import Job, JobStatus
from rq.registry import ScheduledJobRegistry, StartedJobRegistry
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode

from app.processes.worker import QuickWorker
from app.store.rq_queue import QueuedJob
from app.web.logs.frames import FrameSocket
from app.web.request_limits import BoundedProtocol
from tests.support.documents import ROOT

# uvicorn and RQ change internals with a minor version, websockets with a major one.
BOUNDS = ["rq>=3,<3.1", "uvicorn>=0.54,<0.55", "websockets>=17.4,<18"]

OVERRIDDEN: dict[type, dict[str, list[str]]] = {
    BoundedProtocol: {
        "connection_made": ["transport"],
        "connection_lost": ["exc"],
        "on_message_begin": [],
        "on_headers_complete": [],
        "on_body": ["body"],
        "on_message_complete": [],
        "on_response_complete": [],
        "data_received": ["data"],
        "send_400_response": ["msg"],
    },
    FrameSocket: {
        "connection_made": ["transport"],
        "keepalive_timeout": [],
        "send": ["message"],
    },
    QuickWorker: {
        "get_heartbeat_ttl": ["job", "working_time"],
        "heartbeat": ["timeout", "pipeline"],
        "subscribe": [],
        "unsubscribe": [],
    },
    QueuedJob: {
        "restore": ["raw_data"],
    },
}


@pytest.mark.parametrize("bound", BOUNDS)
def test_bounds(bound: str) -> None:
    """A dependency whose internals we rely on is bounded above."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert bound in project["dependencies"]


@pytest.mark.parametrize("ours", OVERRIDDEN)
def test_overridden_methods(ours: type) -> None:
    """What a class of ours overrides is there, with these parameters, and is named here."""
    (theirs,) = ours.__bases__
    overridden = {
        name
        for name, value in vars(ours).items()
        if inspect.isfunction(value) and hasattr(theirs, name) and not name.startswith("__")
    }
    assert overridden == set(OVERRIDDEN[ours])
    for name, parameters in OVERRIDDEN[ours].items():
        assert _parameters(getattr(theirs, name)) == ["self", *parameters]


def _parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


@pytest.mark.parametrize(
    ("protocol", "names"),
    [
        (HttpToolsProtocol, ["cycle", "loop", "pipeline", "transport"]),
        (WebSocketsSansIOProtocol, ["disconnected", "handshake_complete", "loop", "writable"]),
    ],
)
async def test_attributes_of_uvicorns_protocols(protocol: type[Any], names: list[str]) -> None:
    """The state of a connection that request limits and log frames look at."""
    connection = protocol(
        config=uvicorn.Config(Starlette()), server_state=ServerState(), app_state={}
    )
    assert [name for name in names if not hasattr(connection, name)] == []


async def test_a_request_of_uvicorns() -> None:
    """Its head is kept in `url` and `headers`; a cycle knows how far its response is."""
    connection = HttpToolsProtocol(uvicorn.Config(Starlette()), ServerState(), {})
    connection.on_message_begin()
    assert (connection.url, connection.headers) == (b"", [])
    arguments: dict[str, Any] = dict.fromkeys(inspect.signature(RequestResponseCycle).parameters)
    cycle = RequestResponseCycle(**arguments)
    assert (cycle.response_started, cycle.response_complete) == (False, False)


def test_frames_of_websockets() -> None:
    """A frame is its head, then its data; a client that is gone is an OSError."""
    assert Frame(Opcode.TEXT, b"ab").serialize(mask=False) == b"\x81\x02ab"
    assert issubclass(ClientDisconnected, OSError)


def test_entries_of_rqs_queue() -> None:
    """An entry is a hash and a name on a list; the queue's name is in a set."""
    queue = Queue("work", connection=redis.Redis(), serializer="json")
    assert queue.redis_server_version is None
    assert (queue.key, queue.redis_queues_keys) == ("rq:queue:work", "rq:queues")
    assert Job.key_for("x") == "rq:job:x"
    queue.redis_server_version = (7, 0, 0)
    fields = queue.create_job("app.f", result_ttl=60, failure_ttl=60).to_dict()
    assert {"data", "description", "created_at", "timeout"} <= set(fields)


def test_what_the_clock_does_for_rq() -> None:
    """The clock puts due retries back, and cleans the registry; workers report at our intervals."""
    assert inspect.signature(StartedJobRegistry.cleanup)
    assert _parameters(ScheduledJobRegistry.get_jobs_to_schedule)[1:] == ["timestamp", "chunk_size"]
    assert JobStatus.QUEUED.value == "queued"
    intervals = {"worker_ttl", "job_monitoring_interval", "maintenance_interval"}
    assert intervals <= set(_parameters(Worker.__init__))
