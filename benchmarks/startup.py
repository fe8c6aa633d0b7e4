"""How long `task get` takes with its answer from Redis, against a click program that does nothing.

Each is a process of its own; both alternate. The medians of their wall-clock time are compared, and
for machines that are busy also those of their CPU time. Bytecode is compiled, as it is where the
program is installed.

Usage: python benchmarks/startup.py [--rounds N]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app import context
from app.demo import local_redis
from app.store.job_data import JobData
from app.tasks import transitions

JOB = "00000000-0000-4000-8000-000000000001"
EMPTY = "import click\n\n@click.command()\ndef main():\n    pass\n\nmain()\n"
OURS = "import sys\nfrom app.cli import main\nsys.exit(main())\n"


def main() -> None:
    """Measure both and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=41)
    rounds: int = parser.parse_args().rounds
    with local_redis.server() as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _remember_task(folder, url)
        empty, ours = folder / "empty.py", folder / "ours.py"
        empty.write_text(EMPTY)
        ours.write_text(OURS)
        sides = {
            "empty click program": [str(empty)],
            "computing-provider task get": [str(ours), "--cp-repo", name, "task", "get", JOB],
        }
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": name}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        found = _measured(sides, rounds, environment)
    _tell(found, rounds)


def _remember_task(folder: Path, redis_url: str) -> None:
    (folder / "config.toml").write_text(f'[API]\nRedisUrl = "{redis_url}"\n')
    job = JobData(uuid=JOB, duration=900, job_source_uri="https://example.com/spaces/x")
    change = transitions.accepted(
        job, host="x.example.com", now=time.time(), start_timeout_seconds=3600
    )
    opened = context.open_context(str(folder))
    opened.store.commit(change)
    opened.redis.close()


def _measured(
    sides: dict[str, list[str]], rounds: int, environment: dict[str, str]
) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, arguments in sides.items():
            seconds = _once(arguments, environment)
            if number:  # The first compiles.
                found[name].append(seconds)
    return found


def _once(arguments: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Return a process's seconds by the clock and on the CPU."""
    started = time.perf_counter()
    command = [sys.executable, *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{arguments} ended with {process.returncode}")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime


def _tell(found: dict[str, list[tuple[float, float]]], rounds: int) -> None:
    medians = [
        [statistics.median(column) for column in zip(*measured, strict=True)]
        for measured in found.values()
    ]
    print(f"{rounds} alternating starts, medians, {os.cpu_count()} CPUs\n")
    print(f"{'':28}{'ms':>9}{'CPU ms':>9}")
    for name, (wall, cpu) in zip(found, medians, strict=True):
        print(f"{name:28}{wall * 1000:9.1f}{cpu * 1000:9.1f}")
    (floor_wall, floor_cpu), (wall, cpu) = medians
    print(f"{'ratio':28}{wall / floor_wall:9.2f}{cpu / floor_cpu:9.2f}")


if __name__ == "__main__":
    main()
