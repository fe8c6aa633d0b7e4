"""Attack: a list of large files, or a file that grows as it is read, takes the machine's memory.

`config` names files of 32 MiB, 40 of them or one of them 40 times; a Dockerfile repeats a variable
of 4 KiB. It fails because sizes are added up before a byte is read, each file is read once, and
what a reader keeps is bounded.
"""

import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from app.errors import Permanent
from app.spaces import dockerfile, ldl, reader
from app.spaces.files import Files
from app.spaces.image_registries import PUBLIC
from app.spaces.inference import model_setting
from app.spaces.planning import WorkloadNames
from k8s.workload import Capabilities
from tests.support import spaces
from tests.support.documents import ROOT

LIMIT_BYTES = 512 << 20
FILE_BYTES = 32 << 20
COUNT = 40
DEPLOY_FILE = "version: '2.0'\nservices:\n  web:\n    image: a\n    config:\n"
NAMES = WorkloadNames(
    task_id="7bbca25b-4f51-4b2a-9cc1-0ee6e4a31e55",
    space_uuid="0b7a9f94-2d7e-4b36-9d0e-0f3f3a7ad1f2",
    space_name="s",
    wallet="0x" + "ab" * 20,
    host="a.example.com",
)
READ_DEPLOY_FILE = """
import sys
from pathlib import Path
from app.spaces import ldl
from app.spaces.files import Files
from k8s.workload import Capabilities
folder = Path(sys.argv[1])
files = Files(folder, sys.argv[2:])
try:
    ldl.read((folder / "deploy.yaml").read_bytes(), files=files, hardware=None,
             capabilities=Capabilities(), host="a.example.com")
except ldl.InvalidDeployment as invalid:
    print(invalid)
"""
READ_DOCKERFILE = """
import sys
from app.spaces import dockerfile
print(dockerfile.read(sys.stdin.buffer.read()).port)
"""


def limited(script: str, arguments: Sequence[str] = (), content: bytes = b"") -> str:
    """Run a script that may take half a GiB; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        input=content,
        capture_output=True,
        check=False,
        cwd=ROOT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES)),
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.parametrize(
    ("paths", "mounted"),
    [
        ([f"f{n}" for n in range(COUNT)], [f"f{n}" for n in range(COUNT)]),
        (["f0"], ["f0"] * COUNT),
    ],
)
def test_config_files(tmp_path: Path, paths: list[str], mounted: list[str]) -> None:
    """Forty files, or mounts of one file, of 32 MiB are refused by their size."""
    for path in paths:
        with (tmp_path / path).open("wb") as file:
            file.truncate(FILE_BYTES)
    config = "".join(f"      - {{name: {path}, path: /m{n}/}}\n" for n, path in enumerate(mounted))
    (tmp_path / "deploy.yaml").write_text(DEPLOY_FILE + config)
    problems = limited(READ_DEPLOY_FILE, [str(tmp_path), *paths])
    assert f"config[0].name: `f0` has {FILE_BYTES} bytes; `config` mounts at most" in problems


def test_small_files_are_added_up_and_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is mounted often counts as often, and is read once or not at all."""
    read: list[str] = []

    def counted(files: Files, path: str, *, max_bytes: int) -> bytes:
        read.append(path)
        return original(files, path, max_bytes=max_bytes)

    original = Files.read
    monkeypatch.setattr(Files, "read", counted)
    files = spaces.stored(tmp_path / "files", {"a": bytes(100_000)})

    def deployed(count: int) -> ldl.Deployment:
        config = "".join(f"      - {{name: a, path: /m{n}/}}\n" for n in range(count))
        return ldl.read(
            (DEPLOY_FILE + config).encode(),
            files=files,
            hardware=None,
            capabilities=Capabilities(),
            host="a.example.com",
        )

    with pytest.raises(ldl.InvalidDeployment, match="bytes of `config` files: 1100000"):
        deployed(11)
    assert read == []
    assert len(deployed(10).components[0].containers[0].files) == 10
    assert read == ["a"]


@pytest.mark.parametrize(
    ("path", "read", "max_bytes"),
    [
        (
            "deploy.yaml",
            lambda files: reader.plan(
                NAMES,
                files,
                "deploy.yaml",
                hardware=None,
                capabilities=Capabilities(),
                registries=PUBLIC,
            ),
            ldl.MAX_BYTES,
        ),
        (
            "Dockerfile",
            lambda files: reader.read_dockerfile(files, "Dockerfile"),
            dockerfile.MAX_BYTES,
        ),
        (
            "model-setting.json",
            lambda files: reader.model_id(files, "model-setting.json"),
            model_setting.MAX_BYTES,
        ),
    ],
)
def test_files_that_decide(
    tmp_path: Path, path: str, read: Callable[[Files], object], max_bytes: int
) -> None:
    """A file that is larger than its bound is not read; the error names it, its size and that."""
    with (tmp_path / path).open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Permanent) as refused:
        read(Files(tmp_path, [path]))
    assert refused.value.category == "source_too_large"
    assert refused.value.message == (f"{path} has {1 << 40} bytes; at most {max_bytes} are allowed")


@pytest.mark.parametrize(
    "content",
    [
        f"FROM x\nENV P='{'1 ' * 2000}'\nEXPOSE {'$P ' * 300_000}",
        f"FROM x\nENV U='http://{'a' * 4000}'\nADD {'${U}a ' * 160_000}/",
        "FROM x AS a\n"
        + "".join(f"ENV V{n}=x\n" for n in range(1000))
        + "FROM a AS a\nENV V=x\n" * 45_000,
        "FROM x AS a\n"
        + "".join(f"ENV V{n}=x\n" for n in range(1000))
        + "".join(f"FROM a AS b{n}\n" for n in range(60_000)),
    ],
    ids=["ports", "URLs", "stages in a row", "named stages"],
)
def test_dockerfiles(content: str) -> None:
    """A MiB of Dockerfile does not become hundreds of ports, URLs and variables."""
    assert len(content) < dockerfile.MAX_BYTES
    assert int(limited(READ_DOCKERFILE, content=content.encode()))
