"""Tests of `keys rotate`: each key replaced, the previous file kept, nothing lost."""

import re
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app import config
from app.cli import main
from app.config import atomic_files, identity
from app.context import open_context
from app.net import signatures
from tests.support import market
from tests.support.terminal import terminal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A provider's folder."""
    result = CliRunner().invoke(
        main, ["--cp-repo", str(tmp_path), "init", "--domain", "cp.example.com"]
    )
    assert result.exit_code == 0, result.stderr
    return tmp_path


def rotate(folder: Path, *arguments: str) -> Result:
    """Run `keys rotate`."""
    return CliRunner().invoke(main, ["--cp-repo", str(folder), "keys", "rotate", *arguments])


def backups(folder: Path, name: str) -> list[Path]:
    """Return the previous files of this name."""
    paths = sorted(folder.glob(f"{name}.*"))
    assert all(re.fullmatch(rf"{name}\.\d{{8}}T\d{{6}}\.\d{{6}}Z", path.name) for path in paths)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in paths)
    return paths


def test_webhook(folder: Path) -> None:
    """First both secrets are accepted, then the new one alone; comments stay."""
    before = config.load(folder, {}).webhook.secrets
    result = rotate(folder, "webhook")
    assert result.exit_code == 0
    during = config.load(folder, {}).webhook.secrets
    assert during[1:] == before
    keys = signatures.parse_keys(during, ())
    for secret in during:
        headers = market.v1(b"{}", secret=secret)
        assert signatures.verify(headers, b"{}", keys, now=time.time(), tolerance_seconds=300)
    assert rotate(folder, "webhook", "--finish").exit_code == 2
    assert config.load(folder, {}).webhook.secrets == during
    assert rotate(folder, "webhook", "--finish", "--yes").exit_code == 0
    assert config.load(folder, {}).webhook.secrets == during[:1]
    assert len(backups(folder, "config.toml")) == 2
    assert config.load(folder, {}).api.domain == "cp.example.com"
    assert "# Secret. Keys for `v1` signatures" in (folder / "config.toml").read_text()
    assert not any(secret in result.stdout + result.stderr for secret in during)


def test_callbacks(folder: Path) -> None:
    """First callbacks are signed with both keys, then with the new one alone."""
    (old,) = open_context(str(folder)).callback_keys
    result = rotate(folder, "callbacks")
    during = open_context(str(folder)).callback_keys
    assert during[1].private_bytes_raw() == old.private_bytes_raw()
    assert during[0].private_bytes_raw() != old.private_bytes_raw()
    assert signatures.public_text(during[0].public_key()) in result.stdout
    now = int(time.time())
    headers = signatures.sign(*during, message_id="m", timestamp=now, body=b"x")
    for key in during:
        keys = signatures.Keys(public_keys=(key.public_key(),))
        assert signatures.verify(headers, b"x", keys, now=now, tolerance_seconds=1)
    assert rotate(folder, "callbacks", "--finish", "--yes").exit_code == 0
    (new,) = open_context(str(folder)).callback_keys
    assert new.private_bytes_raw() == during[0].private_bytes_raw()
    info = CliRunner().invoke(main, ["--cp-repo", str(folder), "info", "--json"])
    assert signatures.public_text(new.public_key()) in info.stdout


def test_identity(folder: Path) -> None:
    """The node id changes; the old key is kept and remains usable."""
    before = identity.load(folder)
    refused = rotate(folder, "identity")
    assert refused.exit_code == 2
    assert "Redis is away" in refused.stderr
    assert identity.load(folder).node_id == before.node_id
    assert rotate(folder, "identity", "--yes").exit_code == 0
    after = identity.load(folder)
    assert after.node_id != before.node_id
    (backup,) = backups(folder, "private_key")
    assert backup.read_bytes() == before.secret


def test_identity_asks(folder: Path) -> None:
    """On a terminal it warns and asks."""
    before = identity.load(folder).node_id
    with terminal("--cp-repo", str(folder), "keys", "rotate", "identity") as screen:
        screen.wait_for("Continue? [y/N]")
        assert "another provider" in screen.text
        screen.type("n\r")
        assert screen.end() == 1
    assert identity.load(folder).node_id == before


def test_a_disk_that_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both files stay unchanged, and the error is one line."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_files, "_draft", full)
    before = [(folder / name).read_bytes() for name in ("private_key", "config.toml")]
    for arguments in (["identity", "--yes"], ["webhook"], ["callbacks"]):
        result = rotate(folder, *arguments)
        assert result.exit_code == 2
        assert "No space left on device" in result.stderr
        assert "Traceback" not in result.stderr
    assert before == [(folder / name).read_bytes() for name in ("private_key", "config.toml")]


def test_nothing_to_finish(folder: Path) -> None:
    """Finishing a rotation that was not begun changes nothing and exits with 1."""
    for kind in ("webhook", "callbacks"):
        result = rotate(folder, kind, "--finish", "--yes")
        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert not backups(folder, "config.toml")


def test_a_secret_of_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that a variable sets is not rotated in the file."""
    monkeypatch.setenv("CP_WEBHOOK_SECRETS", market.SECRET)
    result = rotate(folder, "webhook")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "$CP_WEBHOOK_SECRETS" in result.stderr


def test_no_more_than_four_keys(folder: Path) -> None:
    """Unfinished rotations of callback keys end at a limit, with the remedy."""
    for _ in range(3):
        assert rotate(folder, "callbacks").exit_code == 0
    before = (folder / "config.toml").read_text()
    result = rotate(folder, "callbacks")
    assert result.exit_code == 2
    assert "--finish" in result.stderr
    assert (folder / "config.toml").read_text() == before
