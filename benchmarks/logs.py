"""Lines of a log per second over WebSocket, and the memory that it takes.

One container writes, on an API server that is a process of its own; `watcher` reads, Redis passes
on, `web` shows. First one watcher takes lines as fast as they come, then many watch the same log.

Usage: python benchmarks/logs.py [--watchers N] [--lines N] [--seconds N]
"""

import argparse
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from app.context import Context, open_context
from app.demo import local_redis
from app.processes import supervisor
from app.store.job_data import JobData
from app.store.records import State
from app.tasks import transitions
from app.web import signed_urls
from benchmarks.processes import free_port, running

HERE = Path(__file__).parent
_READER = """
import sys, threading
from app.context import open_context
from app.processes.log_reader import LogReader
LogReader(open_context(sys.argv[1])).run(threading.Event())
"""
_KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: it
contexts: [{{name: it, context: {{cluster: it, user: it}}}}]
clusters: [{{name: it, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: it, user: {{}}}}]
"""


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--lines", type=int, default=4000, help="a second, for many watchers")
    parser.add_argument("--seconds", type=int, default=10)
    chosen = parser.parse_args()
    print(f"one container, lines of 80 characters, {os.cpu_count()} CPUs")
    print(f"\n{'':24}{'lines/s':>9}{'slowest':>9}{'skipped':>9}{'behind':>9}  MiB, by second")
    for watchers, per_second in ((1, 0), (chosen.watchers, chosen.lines)):
        written = f"{per_second} lines/s" if per_second else "any number"
        found, memory = _measured(watchers, per_second, chosen.seconds)
        print(
            f"{f'{watchers} watching {written}':24}{found['median']:9.0f}{found['slowest']:9.0f}"
            f"{found['skipped']:9}{found['behind']:7.2f} s  "
            + ", ".join(f"{name} {_trace(values)}" for name, values in memory.items())
        )


def _trace(values: list[int]) -> str:
    """Some of the values, in their order, the last one among them."""
    return " ".join(map(str, values[:: -max(1, len(values) // 4)][::-1]))


def _measured(
    watchers: int, per_second: int, seconds: int
) -> tuple[dict[str, float], dict[str, list[int]]]:
    """Return what watchers saw, and by process the MiB it had, second by second."""
    api, memory = free_port(), {"web": list[int](), "watcher": list[int]()}
    with (
        running([sys.executable, str(HERE / "firehose.py"), str(api), str(per_second)], api, {}),
        _provider(api) as (provider, port, processes),
    ):
        target = _target(provider)
        command = [sys.executable, str(HERE / "watchers.py"), str(port), target]
        with subprocess.Popen(
            [*command, str(watchers), str(seconds)], stdout=subprocess.PIPE
        ) as watching:
            while watching.poll() is None:
                for values, pid in zip(memory.values(), processes, strict=True):
                    values.append(_mebibytes(pid))
                time.sleep(1)
            output = watching.stdout.read() if watching.stdout else b""
    return json.loads(output), memory


def _mebibytes(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) >> 10 if found else 0


def _target(provider: Context) -> str:
    """Write down a task that runs; return where its log is seen."""
    task_id = str(uuid.uuid4())
    job = JobData(uuid=task_id, duration=900, job_source_uri="http://127.0.0.1/")
    accepted = transitions.accepted(
        job, host=f"{task_id[:8]}.example.com", now=time.time(), start_timeout_seconds=900
    )
    after = msgspec.structs.replace(accepted.after, wallet="0x1", state=State.RUNNING)
    provider.store.commit(msgspec.structs.replace(accepted, after=after))
    signer = signed_urls.LogUrlSigner(provider.config, provider.identity)
    parts = urlsplit(signer.url(after, "container"))
    return f"{parts.path}?{parts.query}"


@contextmanager
def _provider(api_port: int) -> Iterator[tuple[Context, int, tuple[int, int]]]:
    """Run what shows logs: the process `web`, and what reads in the process `watcher`."""
    with tempfile.TemporaryDirectory() as name, local_redis.server() as url:
        folder, port = Path(name), free_port()
        configuration = (
            f'[API]\nPort = {port}\nDomain = "example.com"\nRedisUrl = "{url}"\n'
            f'[WEBHOOK]\nSecrets = ["whsec_{base64.b64encode(bytes(24)).decode()}"]\n'
            f'[CLUSTER]\nKubeconfig = "{folder}/kubeconfig"\n'
        )
        (folder / "config.toml").write_text(configuration)
        (folder / "kubeconfig").write_text(_KUBECONFIG.format(port=api_port))
        context = open_context(name)
        _ = context.identity
        with (
            running(supervisor.own("web"), port, {"CP_PATH": name}) as web,
            running([sys.executable, "-c", _READER, name], 0, {}) as reader,
        ):
            yield context, port, (web, reader)


if __name__ == "__main__":
    main()
