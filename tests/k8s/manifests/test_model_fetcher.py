"""The model fetcher, run as the init container runs it, against a real server."""

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from k8s.manifests import model_fetcher
from tests.support import file_server
from tests.support.file_server import File, Server

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MOST = 10 << 20


@pytest.fixture
def server() -> Iterator[Server]:
    """A server with one file."""
    with file_server.serving() as running:
        running.files["/model"] = File(CONTENT, headers={"ETag": '"one"'})
        yield running


def run(folder: Path, *models: tuple[str, str], most: int = MOST) -> tuple[int, list[str]]:
    """Run the program for (URL, SHA-256) pairs; return its exit status and its lines."""
    arguments = [
        json.dumps({"url": url, "name": f"model-{number}.bin", "sha256": digest})
        for number, (url, digest) in enumerate(models)
    ]
    program = Path(model_fetcher.__file__).read_text()
    command = [sys.executable, "-I", "-c", program, str(folder), str(most), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()


def test_models_become_files(server: Server, tmp_path: Path) -> None:
    """Each model becomes a file named by its number; a second run fetches nothing."""
    server.files["/empty"] = File(b"")
    models = (f"{server.url}/model", SHA256), (f"{server.url}/empty", "")
    status, lines = run(tmp_path, *models)
    assert status == 0, lines
    assert (tmp_path / "0").read_bytes() == CONTENT
    assert (tmp_path / "1").read_bytes() == b""
    assert lines[0] == "model-0.bin: 1 MiB of 1 MiB (100 %)"
    assert lines[1] == f"model-0.bin: complete, {len(CONTENT)} bytes; size and SHA-256 checked"
    assert {path.name for path in tmp_path.iterdir()} == {"0", "1"}
    assert run(tmp_path, *models)[0] == 0
    assert len(server.asked) == 2


def test_an_interrupted_download_goes_on(server: Server, tmp_path: Path) -> None:
    """Bytes already present are not fetched again, neither within a run nor by the next."""
    server.files["/model"].breaks = [100_000, 200_000]
    status, lines = run(tmp_path, (f"{server.url}/model", ""))
    assert status == 0, lines
    assert (tmp_path / "0").read_bytes() == CONTENT
    assert server.asked[1:] == [
        ("/model", "bytes=100000-", '"one"'),
        ("/model", "bytes=300000-", '"one"'),
    ]
    assert "the connection ended after 100000 of 1048576 bytes; trying again in 1 s" in lines[0]


def test_a_killed_download_goes_on(server: Server, tmp_path: Path) -> None:
    """A partial file with valid notes is resumed; one without is fetched anew."""
    (tmp_path / "part-0").write_bytes(CONTENT[:5000])
    known = {"total": len(CONTENT), "validator": '"one"', "digest": ""}
    (tmp_path / "part-0.json").write_text(json.dumps(known))
    (tmp_path / "part-1").write_bytes(b"x" * 5000)
    (tmp_path / "part-1.json").write_text("{")
    url = f"{server.url}/model"
    assert run(tmp_path, (url, ""), (url, SHA256))[0] == 0
    assert [request[1] for request in server.asked] == ["bytes=5000-", ""]
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes() == CONTENT


@pytest.mark.parametrize("whole", [True, False], ids=["no ranges", "another version"])
def test_a_changed_file_begins_anew(server: Server, tmp_path: Path, *, whole: bool) -> None:
    """A server without ranges, or with another version of the file, is read from the start."""
    server.files["/model"].whole = whole
    (tmp_path / "part-0").write_bytes(b"x" * 5000)
    validator = '"one"' if whole else '"zero"'
    known = {"total": 9000, "validator": validator, "digest": "0" * 64}
    (tmp_path / "part-0.json").write_text(json.dumps(known))
    status, lines = run(tmp_path, (f"{server.url}/model", ""))
    assert status == 0, lines
    assert (tmp_path / "0").read_bytes() == CONTENT


def test_all_there_but_the_check(server: Server, tmp_path: Path) -> None:
    """A file that was complete when its run was killed is checked, and not requested."""
    (tmp_path / "part-0").write_bytes(CONTENT)
    known = {"total": len(CONTENT), "validator": '"one"', "digest": SHA256}
    (tmp_path / "part-0.json").write_text(json.dumps(known))
    assert run(tmp_path, (f"{server.url}/model", ""))[0] == 0
    assert server.asked == []


def linked(server: Server) -> None:
    """Serve as Hugging Face does: a redirect that states the digest of its target."""
    headers = {"X-Linked-ETag": f'"{"0" * 64}"'}
    server.files["/old"] = File(b"", headers=headers, location=f"{server.url}/model")


def replied(server: Server) -> None:
    """Serve with a digest in the form of RFC 9530."""
    digest = base64.b64encode(bytes(32)).decode()
    server.files["/old"] = File(CONTENT, headers={"Repr-Digest": f"sha-256=:{digest}:"})


@pytest.mark.parametrize("serve", [linked, replied])
def test_digests_that_servers_state(
    server: Server, tmp_path: Path, serve: Callable[[Server], None]
) -> None:
    """A file without the digest that its server states is refused and removed."""
    serve(server)
    status, lines = run(tmp_path, (f"{server.url}/old", ""))
    assert status == 1
    assert lines[-1].startswith(f"model-0.bin cannot be fetched: its SHA-256 is {SHA256}, not 000")
    assert not (tmp_path / "0").exists()
    assert not (tmp_path / "part-0").exists()


@pytest.mark.parametrize(
    ("path", "digest", "most", "reason"),
    [
        ("/model", "1" * 64, MOST, f"its SHA-256 is {SHA256}, not {'1' * 64}"),
        ("/model", "", 1000, "it has more than the 1000 bytes of ephemeral storage"),
        ("/missing", "", MOST, "its server answers 404"),
        ("/lead", "", MOST, "it redirects to an address that is not https"),
    ],
)
def test_failures(  # noqa: PLR0917 - pytest names them.
    server: Server, tmp_path: Path, path: str, digest: str, most: int, reason: str
) -> None:
    """The last line gives the reason, and no file is left."""
    server.files["/lead"] = File(b"", location="ftp://127.0.0.1/x")
    status, lines = run(tmp_path, (server.url + path, digest), most=most)
    assert status == 1
    assert lines[-1].startswith(f"model-0.bin cannot be fetched: {reason}"), lines
    assert not (tmp_path / "0").exists()


def test_models_share_the_limit(server: Server, tmp_path: Path) -> None:
    """Bytes of the first model are not available to the second."""
    url = f"{server.url}/model"
    status, lines = run(tmp_path, (url, ""), (url, ""), most=len(CONTENT) * 2 - 1)
    assert status == 1
    assert lines[-1].startswith("model-1.bin cannot be fetched: it has more than the 1048575 bytes")


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    """503 and 429 are temporary; the model arrives in the end."""
    server.files["/model"].statuses = [503]
    status, lines = run(tmp_path, (f"{server.url}/model", SHA256))
    assert status == 0
    assert lines[0] == "model-0.bin: its server answers 503; trying again in 2 s from byte 0"


def test_kubernetes_expands_nothing() -> None:
    """Kubernetes would expand `$(NAME)` in the program's text; there is no `$` in it."""
    assert "$" not in Path(model_fetcher.__file__).read_text()
