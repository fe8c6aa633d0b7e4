"""Tests of `info` and `config check`: identity, reports, and problems of a configuration."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import redis
from click.testing import CliRunner, Result

from app.cli import main
from app.store import redis_keys
from app.store.records import Report
from tests.support import market

KEYS = ["node_id", "address", "callback_public_key", "folder", "domain", "multi_address"]
TOKEN = '[LAG]\nAccessToken = "t"\n[CLUSTER]\nKubeconfig = "/nowhere"'


@pytest.fixture
def connection(redis_url: str) -> Iterator[redis.Redis]:
    """An empty Redis."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path, redis_url: str) -> Path:
    """The folder of a provider that reports to Lagrange."""
    (tmp_path / "config.toml").write_text(market.configuration(redis_url, more=TOKEN))
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    """Run a command."""
    return CliRunner().invoke(main, ["--cp-repo", str(folder), *arguments])


def test_reports(folder: Path, connection: redis.Redis) -> None:
    """The status is the one reported last; each report is shown as accepted or rejected."""
    now = time.time()
    for path, report in {
        "/cp": Report(at=now, status="Inactive"),
        "/cp/heartbeat": Report(at=now - 600, error="\x1b[31mLagrange answered 500"),
    }.items():
        connection.hset(redis_keys.REPORTS, path, msgspec.json.encode(report))
    reports = json.loads(run(folder, "info", "--json").stdout)["lagrange"]
    assert (reports["status"], reports["summary"], reports["reporting"]) == ("Inactive", None, True)
    assert reports["registration"] == {"at": now, "error": None}
    lines = {line[:12].strip(): line[14:] for line in run(folder, "info").stdout.splitlines()}
    assert lines["status"] == "Inactive"
    assert lines["registration"].startswith("accepted, 0:00:0")
    assert "rejected: \\x1b[31mLagrange answered 500" in lines["heartbeat"]
    assert "is no clock running?" in lines["heartbeat"]
    assert lines["summary"].startswith("never sent")


@pytest.mark.parametrize("content", ["", "nonsense"])
def test_the_shape_of_json(folder: Path, connection: redis.Redis, content: str) -> None:
    """JSON has the same members whatever Redis holds."""
    if content:
        connection.hset(redis_keys.REPORTS, "/cp", content)
        connection.hset(redis_keys.RESERVATIONS, "x:1", content)
        connection.set(redis_keys.INVENTORY, content)
    result = run(folder, "info", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert list(document) == [*KEYS, "lagrange", "inventory"]
    reports = ["server_url", "reporting", "status", "registration", "heartbeat", "summary"]
    assert list(document["lagrange"]) == reports
    assert document["inventory"] is None


def test_redis_away(tmp_path: Path) -> None:
    """Without Redis the rest is shown, and the missing parts are named."""
    text = market.configuration("redis://127.0.0.1:1", more=TOKEN)
    (tmp_path / "config.toml").write_text(text)
    result = run(tmp_path, "info", "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert list(document) == [*KEYS, "lagrange", "inventory"]
    assert (document["lagrange"], document["inventory"]) == (None, None)
    assert "the reports to Lagrange are not known" in result.stderr


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("HUB", 'OrchestratorPk = "0x12"'),
        ("LAG", 'ServerUrl = "lagrange"'),
        ("API", 'MultiAddress = "192.0.2.7:8085"'),
    ],
)
def test_malformed_values(tmp_path: Path, table: str, line: str) -> None:
    """`config check` names each, and exits with 2."""
    domain = 'Domain = "cp.example.com"'
    more = f"{domain}\n{line}" if table == "API" else f"{domain}\n[{table}]\n{line}"
    secret = f'[WEBHOOK]\nSecrets = ["{market.SECRET}"]'
    (tmp_path / "config.toml").write_text(f"[API]\n{more}\n{secret}\n")
    result = run(tmp_path, "config", "check")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [result.stderr.strip()]
    assert result.stderr.startswith(f"[{table}] {line.split(maxsplit=1)[0]} is not ")


@pytest.mark.parametrize(
    ("url", "password", "is_open"),
    [
        ("redis://10.0.0.7:6379", "", True),
        ("redis://redis.example.org", "", True),
        ("rediss://192.0.2.1:6379/1", "", True),
        ("redis://0.0.0.0:6379", "", True),
        ("redis://10.0.0.7:6379", "secret-1", False),
        ("redis://:secret-1@10.0.0.7:6379", "", False),
        ("redis://10.0.0.7:6379?password=secret-1", "", False),
        ("redis://127.0.0.1:6379", "", False),
        ("redis://localhost", "", False),
        ("redis://[::1]:6379", "", False),
        ("unix:///run/redis.sock", "", False),
    ],
)
def test_a_redis_without_a_password(
    tmp_path: Path, url: str, password: str, *, is_open: bool
) -> None:
    """`config check` warns of a Redis that others can reach without a password, and goes on."""
    text = market.configuration(url).replace(
        "[WEBHOOK]", f'RedisPassword = "{password}"\n[WEBHOOK]'
    )
    (tmp_path / "config.toml").write_text(text)
    result = run(tmp_path, "config", "check")
    assert result.exit_code == 0
    assert ("warning: [API] RedisPassword is empty" in result.stderr) == is_open
    assert "secret-1" not in result.stderr
