"""Attack: have the operator's secrets, or another text than was written, shown to people.

A registry, a builder or a program prints credentials as HTTP and Docker carry them, in base64,
where they were redacted only verbatim. A tenant writes characters into logs and names by which a
terminal acts, hides text or reorders it. It fails because base64 of a secret is redacted wherever
it begins, and because one rule escapes such characters in all that the command line shows.
"""

import base64
import json
import os
import secrets
import time
import unicodedata
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from app import config as configuration
from app.cli import formatting, logs, main
from app.config.redaction import REPLACEMENT, Redaction
from app.store import Store
from app.store.job_data import JobData
from app.store.records import Reason
from app.tasks import transitions
from tests.support import market

USER, PASSWORD, SHORT = "operator", "p4ss/w0rd?>~ü", "pw"
INVISIBLE = "\u202e\u2066\u200b\u200e\u2028\x1b[2J\x9b\x00\U000e0041\ud800"


@pytest.mark.parametrize("password", [PASSWORD, SHORT])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_credentials_of_the_registry(password: str, encode: object) -> None:
    """Neither `Authorization: Basic` nor Docker's `auth` shows the password."""
    config = configuration.convert({"Registry": {"UserName": USER, "Password": password}})
    redaction = Redaction(configuration.secrets(config))
    assert callable(encode)
    basic = encode(f"{USER}:{password}".encode()).decode()
    docker = json.dumps({"auths": {"registry.example": {"auth": basic}}})
    for line in (f"Authorization: Basic {basic}", docker, basic.rstrip("=")):
        assert basic.rstrip("=") not in redaction.text(line)
        assert REPLACEMENT in redaction.text(line)
        assert redaction.bytes(line.encode()) == redaction.text(line).encode()


@given(before=st.binary(max_size=50), after=st.binary(max_size=50), urlsafe=st.booleans())
def test_inside_a_longer_text(before: bytes, after: bytes, *, urlsafe: bool) -> None:
    """Wherever a secret begins in what was encoded, less than a byte at its ends is left."""
    secret = b"a secret of the operator \xff\xfe".decode(errors="replace").encode()
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    text = encode(before + secret + after).decode()
    shown = Redaction([secret.decode()]).text(text)
    assert shown.count(REPLACEMENT) >= 1
    left = shown.replace(REPLACEMENT, "")
    assert len(left) <= len(text) - len(secret) * 8 // 6 + 2


def test_ordinary_text_stays() -> None:
    """Base64 of something else, and words that a short secret's base64 resembles, are shown."""
    redaction = Redaction([SHORT, "abc", PASSWORD])
    for text in ("YWJj is redacted", "cHc is not, nor is", secrets.token_hex(40)):
        assert (REPLACEMENT in redaction.text(text)) is text.startswith("YWJj")


def test_a_line_of_every_alignment_is_fast() -> None:
    """Redaction of a long log takes its time in proportion to its length."""
    redaction = Redaction(secrets.token_urlsafe(40) for _ in range(10))
    spent = []
    for size in (1 << 18, 1 << 20):
        content = base64.b64encode(os.urandom(size))
        begin = time.process_time()
        redaction.bytes(content)
        spent.append(time.process_time() - begin)
    assert spent[1] < 16 * spent[0] + 0.1


@given(st.text(alphabet=st.characters(), max_size=40))
def test_one_rule(text: str) -> None:
    """No category that a terminal acts upon is left, in tables, in logs and in errors."""
    for shown in (formatting.text(text), formatting.visible(text)):
        kept = {unicodedata.category(character) for character in shown.replace("\u200d", "")}
        assert not kept & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    shown = logs._sanitize(f"\x1b[31m{text}")
    assert "\u202e" not in shown
    assert shown.isprintable() or shown.startswith("\x1b[31m")


def test_what_is_seen() -> None:
    """Escapes say what was written; letters of any language and emoji stay."""
    assert formatting.visible("pay\u202efdp.exe") == r"pay\u202efdp.exe"
    assert logs._sanitize("a\u2066b\tc\u2029") == "a\\u2066b\tc\\u2029"
    plain = "日本語 שלום \N{WOMAN}\u200d\N{PERSONAL COMPUTER} \N{HEAVY BLACK HEART}\ufe0f"
    assert formatting.text(plain) == plain
    assert formatting.text("a\nb\u00a0c") == "a b c"


def test_commands(provider_folder: Path, redis_url: str) -> None:
    """`task list`, `task get` and errors show what a tenant wrote, and do nothing else."""
    data = market.job()
    job = JobData(uuid=data["uuid"], duration=900, job_source_uri=data["job_source_uri"])
    hostile = INVISIBLE.replace("\ud800", "").replace("\x00", "")
    with redis.Redis.from_url(redis_url) as connection:
        store = Store(connection)
        store.commit(transitions.accepted(job, host="x", now=1e9, start_timeout_seconds=60))
        task = store.get(job.uuid)
        assert task
        reason = Reason("image_pull", f"no image {hostile}")
        store.commit(transitions.troubled(task, reason, now=1e9))
    for arguments in (["list", "-v"], ["get", job.uuid], ["get", hostile]):
        command = ["--cp-repo", str(provider_folder), "task", *arguments]
        result = CliRunner().invoke(main, command)
        output = result.stdout + result.stderr
        assert not set(output) & set(INVISIBLE) - set("[2J"), arguments
        assert arguments[0] == "list" or "\\u202e" in output
