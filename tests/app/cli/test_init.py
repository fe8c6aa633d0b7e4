"""Tests of `init`: the files it creates, its questions, and the files it leaves unchanged."""

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app import config
from app.cli import main
from app.config import identity
from tests.support import market
from tests.support.documents import ROOT
from tests.support.terminal import terminal


def init(folder: Path, *arguments: str) -> Result:
    """Run `init` without a terminal."""
    return CliRunner().invoke(main, ["--cp-repo", str(folder), "init", *arguments])


def mode(path: Path) -> int:
    """Return the permission bits of a file."""
    return path.stat().st_mode & 0o777


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_all_files_are_created(tmp_path: Path) -> None:
    """Folder, key and configuration are private, complete, and nobody else's."""
    folder = tmp_path / "a" / "b"
    result = init(folder, "--domain", "cp.example.com", "--access-token", "token")
    assert result.exit_code == 0, result.stderr
    assert [mode(folder), mode(folder / "config.toml"), mode(folder / "private_key")] == [
        0o700,
        0o600,
        0o600,
    ]
    assert contents(folder).keys() == {"config.toml", "private_key"}
    loaded = config.load(folder, {})
    assert (loaded.api.domain, loaded.lag.access_token) == ("cp.example.com", "token")
    assert len(loaded.webhook.secrets) == 1
    assert identity.load(folder).node_id[:12] in result.stdout
    assert loaded.webhook.secrets[0] not in result.stdout
    text = (folder / "config.toml").read_text()
    sample = (ROOT / "config.toml.sample").read_text()
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert comments == [line for line in sample.splitlines() if line.startswith("#")]


def test_again(tmp_path: Path) -> None:
    """A second run changes nothing and names the options that it ignores."""
    init(tmp_path, "--domain", "cp.example.com")
    before = contents(tmp_path)
    result = init(tmp_path, "--domain", "other.example.com")
    assert result.exit_code == 0
    assert "left unchanged" in result.stdout
    assert "not used: --domain" in result.stderr
    assert contents(tmp_path) == before


def test_existing_files(tmp_path: Path) -> None:
    """A v0.3.0 key and configuration are kept, with a warning if others may read them."""
    (tmp_path / "private_key").write_bytes(bytes(31) + b"\x01")
    (tmp_path / "config.toml").write_text('[API]\nDomain = "x.example.com"\n')
    (tmp_path / "config.toml").chmod(0o644)
    result = init(tmp_path)
    assert result.exit_code == 2
    assert "nobody can send anything" in result.stderr
    assert f"chmod 600 {tmp_path / 'config.toml'}" in result.stderr
    assert (tmp_path / "private_key").read_bytes() == bytes(31) + b"\x01"


def test_missing_values(tmp_path: Path) -> None:
    """Without a domain the files are created, and it exits with 2 and names what is missing."""
    result = init(tmp_path / "x")
    assert result.exit_code == 2
    assert "[API] Domain is empty" in result.stderr
    assert (tmp_path / "x" / "config.toml").exists()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--domain", "*.example.com", "[API] Domain is not a domain"),
        ("--multi-address", "1.2.3.4", "[API] MultiAddress is not /ip4/"),
        ("--redis-url", "http://user:geheim@x", "[API] RedisUrl is not redis://"),
        ("--server-url", "lagrange", "[LAG] ServerUrl is not an http(s) URL"),
        ("--webhook-secret", "geheim", "[WEBHOOK] Secrets[0] is not whsec_"),
        ("--webhook-public-key", "whpk_x", "[WEBHOOK] PublicKeys[0] is not whpk_"),
        ("--orchestrator", "0x12", "[HUB] OrchestratorPk is not an EVM address"),
    ],
)
def test_a_wrong_answer(tmp_path: Path, option: str, value: str, words: str) -> None:
    """It is refused with 2 and the sentence of `config check`; nothing is created."""
    result = init(tmp_path / "x", option, value)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert result.stderr.startswith(f"{option}: {words}")
    assert "geheim" not in result.stderr
    assert not (tmp_path / "x").exists()


def test_secrets_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret in a variable is not written, and no other is generated."""
    monkeypatch.setenv("CP_WEBHOOK_SECRETS", market.SECRET)
    result = init(tmp_path, "--domain", "cp.example.com")
    assert result.exit_code == 0
    assert tomllib.loads((tmp_path / "config.toml").read_text())["WEBHOOK"]["Secrets"] == []


def test_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    """The error is one line."""
    (tmp_path / "file").write_text("")
    result = init(tmp_path / "file" / "x", "--domain", "cp.example.com")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "--cp-repo" in result.stderr


def test_it_asks(tmp_path: Path) -> None:
    """On a terminal it asks, shows defaults, asks again after a wrong answer, hides secrets."""
    folder = tmp_path / "x"
    with terminal("--cp-repo", str(folder), "init", "--region", "Quebec-CA") as screen:
        for question, answer in (
            ("leads to the ingress): ", "*.example.com"),
            ("is not a domain", "cp.example.com"),
            ("Public address", "/dns4/cp.example.com/tcp/8085"),
            ("Name in the market [", "node-1"),
            ("Redis [redis://127.0.0.1:6379]: ", ""),
            ("Password of Redis", "geheim"),
            ("Access token", "token-1"),
            ("Webhook secret", ""),
            ("orchestrator", ""),
        ):
            screen.wait_for(question)
            screen.type(f"{answer}\r")
        screen.wait_for("Next:")
        assert screen.end() == 0
    assert "geheim" not in screen.text
    assert "token-1" not in screen.text
    loaded = config.load(folder, {})
    assert loaded.api.domain == "cp.example.com"
    assert loaded.api.multi_address == "/dns4/cp.example.com/tcp/8085"
    assert (loaded.api.node_name, loaded.api.region) == ("node-1", "Quebec-CA")
    assert (loaded.api.redis_url, loaded.api.redis_password) == ("redis://127.0.0.1:6379", "geheim")
    assert loaded.lag.access_token == "token-1"
    assert len(loaded.webhook.secrets) == 1


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C at a question ends it, and nothing is created."""
    with terminal("--cp-repo", str(tmp_path / "x"), "init") as screen:
        screen.wait_for("Domain under which")
        assert screen.interrupt() == 1
    assert not (tmp_path / "x").exists()
    assert "Traceback" not in screen.text
