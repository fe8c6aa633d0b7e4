"""A whole provider for tests: real processes, real Redis, a stand-in for Lagrange, some cluster."""

import json
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx2

from app.context import Context, open_context
from app.demo import local_redis
from app.demo.fake_lagrange import Job, Lagrange
from app.net import signatures
from app.net.http_client import Answer
from app.processes.supervisor import Child, Supervisor, own
from app.store.records import Task
from k8s.api import url_paths
from k8s.api.errors import NotFound
from k8s.apply import apply
from k8s.naming import labels, names
from tests.support.ports import free_port
from tests.support.waiting import eventually

WALLET = "0x" + "ab" * 20
HARDWARE = "CPU only · 2 vCPU · 4 GiB"


def descendants(pid: int) -> Iterator[int]:
    """Yield the processes below one, the deepest first."""
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from descendants(int(child))
            yield int(child)


@dataclass
class Provider:
    """Processes that can be killed one by one; `keep` starts again what died, as `run` does."""

    folder: Path
    lagrange: Lagrange
    port: int
    redis_port: int
    supervisor: Supervisor
    redis_process: Any
    _stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """The address of web."""
        return f"http://127.0.0.1:{self.port}"

    @cached_property
    def context(self) -> Context:
        """Its Redis and its cluster, as its processes see them."""
        return open_context(str(self.folder))

    def keep(self) -> None:
        """Start what does not run, for as long as the test goes on."""
        while not self._stopped.wait(0.05):
            self.supervisor.tick()
        self.supervisor.stop()

    def stop(self) -> None:
        """Let `keep` end."""
        self._stopped.set()

    def wait_ready(self) -> None:
        """Return once web answers."""
        eventually("web answers", lambda: self.read("/readyz"), seconds=30)

    def read(self, path: str) -> bytes | None:
        """Return what web answers to a GET; None when it does not, or with an error."""
        with suppress(httpx2.HTTPError):
            answer = httpx2.get(self.url + path, timeout=2)
            return answer.content if answer.is_success else None
        return None

    def pids(self, name: str) -> list[int]:
        """Return the processes of a kind (`worker`) and all below them."""
        found = []
        for child in self.supervisor.children:
            if child.name.startswith(name) and child.process and child.process.poll() is None:
                found += [*descendants(child.process.pid), child.process.pid]
        return found

    def kill(self, name: str) -> None:
        """Kill -9 the processes of a kind and all below them."""
        for pid in self.pids(name):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_redis(self) -> None:
        """Kill -9 Redis."""
        self.redis_process.kill()
        self.redis_process.wait()

    def start_redis(self) -> None:
        """Start Redis again on what it wrote."""
        self.redis_process = local_redis.start(self.folder / "redis", self.redis_port)

    def assign(self, space: Path, *, duration: int = 900, wallet: str = WALLET) -> Job:
        """Have Lagrange assign a Space; return the job once it was accepted."""
        space_uuid = self.lagrange.add_space(space, wallet=wallet, hardware=HARDWARE)
        job = self.lagrange.job(space_uuid, duration)
        answer = self.lagrange.assign(self.url, job)
        assert answer.status == 202, answer.body
        return job

    def terminate(self, job: Job) -> Answer:
        """Have Lagrange end a job."""
        return self.lagrange.terminate(self.url, job)

    def task(self, job: Job) -> Task:
        """Return the record of a job."""
        found = self.context.store.get(job.uuid)
        assert found is not None
        return found

    def remains(self, task_id: str, *, wallet: str = WALLET) -> list[str]:
        """Return what the cluster holds of a task, pods included: `Kind/name`."""
        found = []
        for kind in (*apply.KINDS, "Pod"):
            path = url_paths.collection(kind, names.namespace(wallet))
            with suppress(NotFound):
                objects = self.context.cluster.list(path, selector=labels.task_selector(task_id))
                found += [f"{kind}/{one['metadata']['name']}" for one in objects]
        return found

    def statuses(self, job: Job) -> list[str]:
        """Return what Lagrange was told of a job, each callback once, in the order of arrival."""
        told: dict[int, str] = {}
        for one in self.lagrange.callbacks(job.uuid):
            told.setdefault(one.body["sequence"], one.status)
        assert list(told) == sorted(told), "callbacks overtook each other"
        return list(told.values())


def configuration(
    lagrange: Lagrange, port: int, redis_port: int, orchestrator: str, **tables: dict[str, Any]
) -> str:
    """Return a config.toml with these tables beside what a test provider needs."""
    lines = [
        line
        for name, table in tables.items()
        for line in (f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items()))
    ]
    more = "\n".join(lines)
    return f"""
[API]
Port = {port}
MultiAddress = "/ip4/127.0.0.1/tcp/{port}"
Domain = "example.com"
RedisUrl = "redis://127.0.0.1:{redis_port}"
[LAG]
ServerUrl = "{lagrange.url}"
AccessToken = "{lagrange.access_token}"
[WEBHOOK]
Secrets = ["{lagrange.secret}"]
PublicKeys = ["{lagrange.public_key}"]
[HUB]
OrchestratorPk = "{orchestrator}"
AccountAddress = "0x00000000000000000000000000000000000000aa"
[SOURCE]
AllowPrivateAddresses = true
{more}
"""


@contextmanager
def running(
    folder: Path,
    *,
    orchestrator: str = "",
    task: Mapping[str, Any] = {},
    mcs: Mapping[str, Any] = {},
    **cluster: Any,
) -> Iterator[Provider]:
    """Run a provider in a folder.

    Args:
        folder: Becomes its `CP_PATH`.
        orchestrator: Whose EIP-191 signatures count; the stand-in's unless given.
        task: The [TASK] table.
        mcs: The [MCS] table.
        cluster: The [CLUSTER] table.
    """
    with ExitStack() as stack:
        lagrange = stack.enter_context(Lagrange())
        port, redis_port = free_port(), free_port()
        (folder / "redis").mkdir(parents=True)
        redis_process = local_redis.start(folder / "redis", redis_port)
        text = configuration(
            lagrange,
            port,
            redis_port,
            orchestrator or lagrange.address,
            CLUSTER=cluster,
            TASK=dict(task),
            MCS=dict(mcs),
        )
        (folder / "config.toml").write_text(text)
        environment = {**os.environ, "CP_PATH": str(folder)}
        children = [Child(name, own(name)) for name in ("web", "worker", "watcher", "clock")]
        provider = Provider(
            folder, lagrange, port, redis_port, Supervisor(children, environment), redis_process
        )
        identity = provider.context.identity
        lagrange.know(
            account="0x00000000000000000000000000000000000000aa",
            node_id=identity.node_id,
            provider_key=signatures.public_text(identity.signing_key.public_key()),
        )
        keeper = threading.Thread(target=provider.keep)
        keeper.start()
        try:
            provider.wait_ready()
            yield provider
        finally:
            provider.stop()
            keeper.join()
            provider.redis_process.kill()
            provider.redis_process.wait()
