"""`info` and `config check`: who the provider is to Lagrange, and whether it is set up right."""

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
TOKEN = '[LAG]\nAccessToken = "t"\n[CLUSTER]\nSimulated = true'


@pytest.fixture
def connection(redis_url: str) -> Iterator[redis.Redis]:
    """An empty Redis."""
    with redis.Redis.from_url(redis_url) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path, redis_url: str) -> Path:
    """The folder of a provider that reports to Lagrange."""
    (tmp_path / "config.toml").write_text(market.configuration(redis_url, more=TOKEN))
    return tmp_path


def called(folder: Path, *arguments: str) -> Result:
    """Call a command."""
    return CliRunner().invoke(main, ["--cp-repo", str(folder), *arguments])


def test_what_lagrange_was_told(folder: Path, connection: redis.Redis) -> None:
    """The status is the one that Lagrange was told last, with whether it took each report."""
    now = time.time()
    for path, came in {
        "/cp": Report(at=now, status="Inactive"),
        "/cp/heartbeat": Report(at=now - 600, error="\x1b[31mLagrange answered 500"),
    }.items():
        connection.hset(redis_keys.REPORTS, path, msgspec.json.encode(came))
    told = json.loads(called(folder, "info", "--json").stdout)["lagrange"]
    assert (told["status"], told["summary"], told["reporting"]) == ("Inactive", None, True)
    assert told["registration"] == {"at": now, "error": None}
    lines = {line[:12].strip(): line[14:] for line in called(folder, "info").stdout.splitlines()}
    assert lines["status"] == "Inactive"
    assert lines["registration"].startswith("taken, 0:00:0")
    assert "not taken: \N{REPLACEMENT CHARACTER}[31mLagrange answered 500" in lines["heartbeat"]
    assert "no clock runs?" in lines["heartbeat"]
    assert lines["summary"].startswith("never sent")


@pytest.mark.parametrize("content", ["", "nonsense"])
def test_the_shape_of_json(folder: Path, connection: redis.Redis, content: str) -> None:
    """JSON has the same members whatever is known, or stands in Redis."""
    if content:
        connection.hset(redis_keys.REPORTS, "/cp", content)
        connection.hset(redis_keys.RESERVATIONS, "x:1", content)
        connection.set(redis_keys.INVENTORY, content)
    result = called(folder, "info", "--json")
    assert result.exit_code == 0, result.stderr
    shown = json.loads(result.stdout)
    assert list(shown) == [*KEYS, "lagrange", "inventory"]
    reports = ["server_url", "reporting", "status", "registration", "heartbeat", "summary"]
    assert list(shown["lagrange"]) == reports
    assert shown["inventory"] is None


def test_redis_away(tmp_path: Path) -> None:
    """Without Redis the rest is shown, and what is not known is said."""
    text = market.configuration("redis://127.0.0.1:1", more=TOKEN)
    (tmp_path / "config.toml").write_text(text)
    result = called(tmp_path, "info", "--json")
    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    assert list(shown) == [*KEYS, "lagrange", "inventory"]
    assert (shown["lagrange"], shown["inventory"]) == (None, None)
    assert "the reports to Lagrange are not known" in result.stderr


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("HUB", 'OrchestratorPk = "0x12"'),
        ("LAG", 'ServerUrl = "lagrange"'),
        ("API", 'MultiAddress = "192.0.2.7:8085"'),
    ],
)
def test_values_that_cannot_be_meant(tmp_path: Path, table: str, line: str) -> None:
    """`config check` names each, and ends with 2."""
    domain = 'Domain = "cp.example.com"'
    more = f"{domain}\n{line}" if table == "API" else f"{domain}\n[{table}]\n{line}"
    secret = f'[WEBHOOK]\nSecrets = ["{market.SECRET}"]'
    (tmp_path / "config.toml").write_text(f"[API]\n{more}\n{secret}\n")
    result = called(tmp_path, "config", "check")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [result.stderr.strip()]
    assert result.stderr.startswith(f"[{table}] {line.split(maxsplit=1)[0]} is not ")
