"""The operator's configuration."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from app import config
from app.errors import ConfigError

V030 = (Path(__file__).parent / "v030.toml").read_text("utf-8")  # As v0.3.0 has it.


def load(folder: Path, text: str = "", **environment: str) -> config.Config:
    """Load a configuration."""
    (folder / "config.toml").write_text(text)
    return config.load(folder, environment)


def problems(folder: Path, text: str = "", **environment: str) -> tuple[str, ...]:
    """Return the problems of a configuration."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text, **environment)
    return caught.value.problems


@pytest.mark.parametrize("text", ["cp.example.com", ".cp.example.com", " CP.Example.com. "])
def test_the_domain_is_spelled_as_hosts_are(tmp_path: Path, text: str) -> None:
    """In lower case, without a dot at either end, as names of hosts on a cluster have to be."""
    assert load(tmp_path, f'[API]\nDomain = "{text}"').api.domain == "cp.example.com"


def test_v030(tmp_path: Path) -> None:
    """The file of v0.3.0 is read as it is."""
    loaded = load(tmp_path, V030)
    assert (loaded.api.port, loaded.lag.server_url) == (8085, "https://api.lagrangedao.org")
    assert loaded.log.crt_file.endswith("server.crt")


def test_v030_as_it_is_tells_what_to_fill_in(tmp_path: Path) -> None:
    """The sample of v0.3.0 fails only with its missing values, one line each."""
    (tmp_path / "config.toml").write_text(V030)
    done = check(tmp_path)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert sorted(line.partition(";")[0].partition(":")[0] for line in lines) == [
        "[API] Domain is empty",
        "[API] MultiAddress is not /ip4/<address>/tcp/<port> or /dns4/<name>/tcp/<port>",
        "nobody can send anything",
    ]


def test_v030_of_an_operator_is_complete(tmp_path: Path) -> None:
    """The file of a provider that ran v0.3.0 will do unchanged; a key comes by a variable."""
    filled = V030.replace("/ip4/<public_ip>/tcp/<port>", "/ip4/192.0.2.7/tcp/8085")
    filled = filled.replace('Domain = ""', 'Domain = ".cp.example.com"')
    (tmp_path / "config.toml").write_text(filled)
    done = check(tmp_path, CP_WEBHOOK_SECRETS=f"whsec_{'A' * 32}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "config.toml").read_text() == filled


def check(folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run `config check`."""
    command = [sys.executable, "-m", "app.cli", "config", "check"]
    given = {**os.environ, **environment, "CP_PATH": str(folder)}
    return subprocess.run(command, env=given, text=True, capture_output=True, check=False)


def test_no_file(tmp_path: Path) -> None:
    """Without a file the defaults apply."""
    assert config.load(tmp_path, {}) == config.Config()


@pytest.mark.parametrize(("table", "key", "kind"), list(config.keys()))
def test_every_key_by_environment(tmp_path: Path, table: str, key: str, kind: Any) -> None:
    """Each key can be set by a variable, which wins over the file."""
    text = str(kind)
    value, expected = ("value", "value")
    if "tuple" in text and "int" in text:
        value, expected = "7, 8", (7, 8)  # type: ignore[assignment]
    elif "int" in text:
        value, expected = "7", 7  # type: ignore[assignment]
    elif "bool" in text:
        value, expected = "true", True  # type: ignore[assignment]
    elif "tuple" in text:
        value, expected = "a, b", ("a", "b")  # type: ignore[assignment]
    elif "float" in text:
        value, expected = "1.5", 1.5  # type: ignore[assignment]
    elif "Literal" in text:
        value = expected = get_args(kind)[-1]
    elif "dict" in text:
        value, expected = '{fast = "ssd"}', {"fast": "ssd"}  # type: ignore[assignment]
    name = config.variable_name(table, key)
    assert re.fullmatch(r"CP_[A-Z]+_[A-Z]+", name)
    loaded = load(tmp_path, V030, **{name: value})
    tables = dict(zip(config.tables(), msgspec.structs.astuple(loaded), strict=True))
    keys = [field.encode_name for field in msgspec.structs.fields(tables[table])]
    assert msgspec.structs.astuple(tables[table])[keys.index(key)] == expected


def test_a_key_of_callbacks_that_is_none(tmp_path: Path) -> None:
    """There is always a key to sign with, and never too many."""
    for keys in ("[]", "[0]", "[1, 2, 3, 4, 5]"):
        with pytest.raises(ConfigError, match=r"\[LAG\] CallbackKeys"):
            load(tmp_path, f"[LAG]\nCallbackKeys = {keys}")


def test_names_of_the_documentation() -> None:
    """The documented variables exist."""
    assert config.variable_name("API", "Port") == "CP_API_PORT"
    assert config.variable_name("LAG", "ServerUrl") == "CP_LAG_SERVERURL"


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("[API]\nPrt = 1", "did you mean Port?"),
        ("[API]\nredisUrl = 1", "did you mean RedisUrl?"),
        ("[WEBHOOK]\nSecret = []", "did you mean Secrets?"),
        ("[LOGS]\nCrtFile = ''", "did you mean LOG?"),
        ("[registry]\n", "did you mean Registry?"),
    ],
)
def test_unknown_keys(tmp_path: Path, text: str, suggestion: str) -> None:
    """An unknown key is an error that suggests the nearest known name."""
    [problem] = problems(tmp_path, text)
    assert suggestion in problem


def test_all_unknown_keys_at_once(tmp_path: Path) -> None:
    """Every unknown key has its line."""
    assert len(problems(tmp_path, "[API]\nA1 = 1\nB2 = 2\n[XYZ]\n")) == 3


def test_wrong_values_at_once(tmp_path: Path) -> None:
    """Every table with a wrong value is named with its key, and secrets are not repeated."""
    text = "[API]\nPort = 70000\n[WEBHOOK]\nSecrets = 'whsec_hunter2'\n[LAG]\nAccessToken = 5\n"
    lines = problems(tmp_path, text)
    assert [line.partition(":")[0] for line in lines] == [
        "[API] Port",
        "[LAG] AccessToken",
        "[WEBHOOK] Secrets",
    ]
    assert "hunter2" not in "".join(lines)


@pytest.mark.parametrize("text", ["[API", "API = 5", "[API]\nPort = 1\nPort = 2", "\x00"])
def test_malformed_files(tmp_path: Path, text: str) -> None:
    """A file that is no TOML, or has no tables, is an error and no traceback."""
    assert problems(tmp_path, text)


def test_wrong_variables(tmp_path: Path) -> None:
    """A variable is checked as the file is."""
    assert "[API] Port" in problems(tmp_path, CP_API_PORT="many")[0]


def test_secrets_are_masked(tmp_path: Path) -> None:
    """Displayed values hold no secret."""
    text = """
[API]
RedisUrl = "rediss://user:hunter2@redis:6379/0"
RedisPassword = "hunter2"
[LAG]
AccessToken = "hunter2"
[MCS]
ApiKey = "hunter2"
[Registry]
Password = "hunter2"
[WEBHOOK]
Secrets = ["hunter2", "hunter2"]
[ADMISSION]
BlackList = "https://user:hunter%32@lists.example.com/black"
"""
    loaded = load(tmp_path, text)
    displayed = list(config.mask(loaded))
    assert "hunter" not in repr(displayed)
    assert ("API", "RedisUrl", "rediss://…@redis:6379/0") in displayed
    assert ("WEBHOOK", "Secrets", "(2 set)") in displayed
    assert set(config.secrets(loaded)) == {"hunter2", "hunter%32"}
