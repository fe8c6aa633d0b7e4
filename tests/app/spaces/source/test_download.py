"""Downloads of whole Spaces, from the stand-in for Lagrange."""

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.demo.fake_lagrange import Behaviour, Lagrange
from app.errors import Permanent, Temporary
from app.net.http_client import Fetcher
from app.spaces.files import create
from app.spaces.source import SourceLimits, describe, download

LIMITS = SourceLimits(files=20, file_bytes=1000, total_bytes=3000, seconds=5)
WALLET = "0x" + "ab" * 20


@pytest.fixture
def lagrange() -> Iterator[Lagrange]:
    """A running stand-in."""
    with Lagrange() as running:
        yield running


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A Space's folder with files in folders."""
    folder = tmp_path / "hello world"
    (folder / "src").mkdir(parents=True)
    (folder / "deploy.yaml").write_bytes(b"version: '2.0'\n")
    (folder / "src" / "ä b?.bin").write_bytes(bytes(range(256)))
    (folder / "empty").write_bytes(b"")
    return folder


async def fetch(
    lagrange: Lagrange, source: Path, target: Path, limits: SourceLimits = LIMITS
) -> dict[str, bytes]:
    """Describe and download a folder that the stand-in serves."""
    uuid = lagrange.add_space(source, wallet=WALLET, hardware="CPU only · 2 vCPU · 16 GiB")
    async with Fetcher(allow_private=True) as fetcher:
        url = f"{lagrange.url}/spaces/{uuid}"
        space = await describe(fetcher, url, origins=[lagrange.url], limits=limits)
        assert (space.uuid, space.name, space.wallet) == (uuid, source.name, WALLET)
        files = await download(fetcher, space, target, limits=limits)
        return {path: files.read(path, max_bytes=limits.file_bytes) for path in files}


async def test_download(lagrange: Lagrange, source: Path, tmp_path: Path) -> None:
    """A Space arrives as it is served, in folders and files that only we can read."""
    found = await fetch(lagrange, source, tmp_path / "got")
    assert found == {
        "deploy.yaml": b"version: '2.0'\n",
        "empty": b"",
        "src/ä b?.bin": bytes(range(256)),
    }
    for path in [tmp_path / "got", *(tmp_path / "got").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


async def test_an_earlier_attempt_is_replaced(
    lagrange: Lagrange, source: Path, tmp_path: Path
) -> None:
    """Leftovers of an attempt that was killed are removed."""
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "old").write_text("old")
    await fetch(lagrange, source, tmp_path / "got")
    assert not (tmp_path / "got" / "old").exists()


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (replace(LIMITS, files=2), "data.files: 3 entries, at most 2 are allowed"),
        (replace(LIMITS, file_bytes=200), r"src/ä b\?.bin: .* is larger than 200 bytes"),
        (replace(LIMITS, total_bytes=260), "larger than 260 bytes together"),
    ],
)
async def test_limits(
    lagrange: Lagrange, source: Path, tmp_path: Path, limits: SourceLimits, message: str
) -> None:
    """Count, size of one and size of all files are bounded."""
    with pytest.raises(Permanent, match=message):
        await fetch(lagrange, source, tmp_path / "got", limits)


async def test_time_is_bounded(lagrange: Lagrange, source: Path, tmp_path: Path) -> None:
    """All files together have one deadline."""
    lagrange.behaviours["/files"] = Behaviour(fault="drip")
    with pytest.raises(Temporary) as caught:
        await fetch(lagrange, source, tmp_path / "got", replace(LIMITS, seconds=0.5))
    assert caught.value.category == "source_unavailable"


async def test_short_outages(lagrange: Lagrange, source: Path, tmp_path: Path) -> None:
    """A server that fails for a moment does not fail the download."""
    lagrange.behaviours["/files"] = Behaviour(status=503, times=1)
    lagrange.behaviours["/files/"] = Behaviour(fault="reset", times=1)
    assert len(await fetch(lagrange, source, tmp_path / "got")) == 3


@pytest.mark.parametrize(
    ("behaviour", "category"),
    [
        (Behaviour(status=404), "source_missing"),
        (Behaviour(fault="endless"), "source_too_large"),
        (Behaviour(fault="redirect", location="file:///etc/passwd"), "source_refused"),
    ],
)
async def test_hostile_files(
    lagrange: Lagrange, source: Path, tmp_path: Path, behaviour: Behaviour, category: str
) -> None:
    """A file that is missing, endless or redirected elsewhere fails the download by its name."""
    lagrange.behaviours["/files"] = behaviour
    with pytest.raises(Permanent, match=r"deploy\.yaml|empty|src") as caught:
        await fetch(lagrange, source, tmp_path / "got")
    assert caught.value.category == category


@pytest.mark.parametrize(
    "behaviour", [Behaviour(fault="garbage"), Behaviour(fault="reset"), Behaviour(status=500)]
)
async def test_failing_descriptions(
    lagrange: Lagrange, source: Path, tmp_path: Path, behaviour: Behaviour
) -> None:
    """A Space that cannot be read at the moment is a temporary failure."""
    lagrange.behaviours["/spaces"] = behaviour
    with pytest.raises(Temporary) as caught:
        await fetch(lagrange, source, tmp_path / "got")
    assert caught.value.category == "source_unavailable"


async def test_private_addresses_are_refused(lagrange: Lagrange, source: Path) -> None:
    """Without the operator's choice nothing is fetched from a private address."""
    uuid = lagrange.add_space(source, wallet=WALLET, hardware="CPU only · 2 vCPU · 16 GiB")
    url = f"{lagrange.url}/spaces/{uuid}"
    async with Fetcher() as fetcher:
        with pytest.raises(Permanent) as caught:
            await describe(fetcher, url, origins=[lagrange.url], limits=LIMITS)
    assert caught.value.category == "source_refused"


async def test_links_are_not_followed(tmp_path: Path) -> None:
    """A symbolic link in the folder is neither written through nor replaced."""
    outside = tmp_path / "outside"
    outside.mkdir()
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "folder").symlink_to(outside)
    (inside / "file").symlink_to(outside / "file")
    for path in ("folder/x", "file"):
        with pytest.raises(OSError, match=r"Not a directory|File exists|Too many levels"):
            create(inside, path)
    (tmp_path / "alias").symlink_to(inside)
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        create(tmp_path / "alias", "x")
    assert list(outside.iterdir()) == []


async def test_a_missing_parent_folder_is_the_operators_error(
    lagrange: Lagrange, source: Path, tmp_path: Path
) -> None:
    """A folder that cannot be made is a temporary failure of the disk."""
    with pytest.raises(Temporary) as caught:
        await fetch(lagrange, source, tmp_path / "missing" / "got")
    assert caught.value.category == "disk"
