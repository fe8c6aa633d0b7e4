"""Acknowledged webhooks per second, against the least that an intake can be, in the same run.

Both sides are one process with uvicorn on the same Redis, which writes everything to disk at once;
the load comes from a third process. Rounds alternate, the best of each side counts.

Usage: python benchmarks/intake.py [--messages N] [--rounds N] [--connections N]
"""

import argparse
import base64
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from app.demo import local_redis
from app.processes import supervisor
from benchmarks.processes import free_port, running

HERE = Path(__file__).parent
GOAL = 0.6
_WARM_UP = 300


def main() -> None:
    """Measure both sides and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=3000, help="in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=16)
    chosen = parser.parse_args()
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    best: dict[str, dict[str, float]] = {}
    with local_redis.server() as url, _provider(url, secret) as ours, _floor(url, secret) as floor:
        sides = {"computing-provider web": ours, "bare Starlette": floor}
        for port in sides.values():
            _measured(port, url, secret, _WARM_UP, chosen.connections)
        for _ in range(chosen.rounds):
            for name, port in sides.items():
                found = _measured(port, url, secret, chosen.messages, chosen.connections)
                if found["per_second"] > best.get(name, found)["per_second"] or name not in best:
                    best[name] = found
    _tell(best, chosen)


def _tell(best: dict[str, dict[str, float]], chosen: argparse.Namespace) -> None:
    print(
        f"{chosen.messages} distinct signed job.assigned on {chosen.connections} connections,"
        f" best of {chosen.rounds} alternating rounds, {os.cpu_count()} CPUs\n"
    )
    print(f"{'':26}{'webhooks/s':>12}{'p50 ms':>10}{'p99 ms':>10}")
    for name, found in best.items():
        print(f"{name:26}{found['per_second']:12.0f}{found['p50']:10.2f}{found['p99']:10.2f}")
    ours, floor = (found["per_second"] for found in best.values())
    print(f"\nratio {ours / floor:.2f}, goal {GOAL}")


def _measured(
    port: int, redis_url: str, secret: str, messages: int, connections: int
) -> dict[str, float]:
    with redis.Redis.from_url(redis_url) as connection:
        connection.flushall()
    program = [sys.executable, str(HERE / "load.py")]
    command = [*program, str(port), secret, str(messages), str(connections)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the load failed:\n{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


@contextmanager
def _provider(redis_url: str, secret: str) -> Iterator[int]:
    """Run the real process in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        configuration = (
            f'[API]\nPort = {port}\nDomain = "example.com"\nRedisUrl = "{redis_url}"\n'
            f'[WEBHOOK]\nSecrets = ["{secret}"]\n[TASK]\nMaxActive = 100000000\n'
        )
        (Path(folder) / "config.toml").write_text(configuration)
        with running(supervisor.own("web"), port, {"CP_PATH": folder}):
            yield port


@contextmanager
def _floor(redis_url: str, secret: str) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, str(HERE / "floor.py"), str(port), redis_url, secret]
    with running(command, port, {}):
        yield port


if __name__ == "__main__":
    main()
