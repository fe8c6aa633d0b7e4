"""What Lagrange says of a Space: its owner, its hardware, and where its files are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import msgspec

from app.errors import Permanent
from app.net.http_client import Fetcher, FetchLimits
from app.spaces.source import paths
from app.spaces.source.fields import Fields

_DOCUMENT_BYTES = 4 << 20
_DOCUMENT_SECONDS = 60.0
_CATEGORY = "source_invalid"
_WALLET = r"0x[0-9a-f]{40}"
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NAME_CHARACTERS = 255
_HARDWARE_CHARACTERS = 255
_URL_CHARACTERS = 8192
_SHOWN_PROBLEMS = 10


@dataclass(frozen=True, slots=True)
class SpaceFile:
    """A file of a Space: its path in the Space, checked, and the URL of its bytes, not checked."""

    path: str
    url: str


@dataclass(frozen=True, slots=True)
class Space:
    """A Space as Lagrange describes it.

    Attributes:
        uuid: Lower case.
        name: As its owner wrote it, without control characters.
        wallet: The owner's `0x…` address, lower case.
        hardware: The order's description, `CPU only · 2 vCPU · 16 GiB`.
        gpu_count: GPUs of the order when it says so.
        storage_bytes: Ephemeral storage of the order when it says so.
        files: Different files on every file system.
    """

    uuid: str
    name: str
    wallet: str
    hardware: str
    gpu_count: int | None
    storage_bytes: int | None
    files: tuple[SpaceFile, ...]


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """Bounds of a whole Space: its count of files, bytes of each and of all, seconds for all."""

    files: int
    file_bytes: int
    total_bytes: int
    seconds: float


class Kind(NamedTuple):
    """How a Space is deployed, and the path of the file that decides it."""

    name: Literal["ldl", "model", "image"]
    path: str


async def describe(fetcher: Fetcher, job_source_uri: str, *, limits: SourceLimits) -> Space:
    """Fetch and read the Space that a job names; its files are not fetched.

    Raises:
        Permanent: `source_invalid`, naming every wrong field; what `Fetcher.get` raises.
        Temporary: What `Fetcher.get` raises.
    """
    seconds = min(limits.seconds, _DOCUMENT_SECONDS)
    bounds = FetchLimits(bytes=_DOCUMENT_BYTES, seconds=seconds)
    body = await fetcher.get(job_source_uri, limits=bounds)
    return read(body, max_files=limits.files)


def read(body: bytes, *, max_files: int) -> Space:
    """Read the JSON that describes a Space; unknown fields are ignored.

    Raises:
        Permanent: `source_invalid`, naming every wrong field.
    """
    try:
        top = Fields(msgspec.json.decode(body))
    except (msgspec.DecodeError, RecursionError):
        raise Permanent("the Space's description is not JSON", category=_CATEGORY) from None
    data = top.inner("data")
    details, owner = data.inner("space"), data.inner("owner")
    order = details.inner("activeOrder").inner("config")
    name = details.text("name", most=_NAME_CHARACTERS)
    wallet = owner.matching("public_address", _WALLET, needed="0x and 40 hexadecimal digits")
    space = Space(
        uuid=details.matching("uuid", _UUID, needed="a UUID"),
        name=name,
        wallet=wallet,
        hardware=order.text("description", most=_HARDWARE_CHARACTERS),
        gpu_count=order.count("gpu"),
        storage_bytes=order.count("storage"),
        files=_files(data, wallet=wallet, space_name=name, most=max_files),
    )
    if top.problems:
        raise Permanent(_listed(top.problems), category=_CATEGORY)
    return space


def _files(data: Fields, *, wallet: str, space_name: str, most: int) -> tuple[SpaceFile, ...]:
    files = []
    for entry in data.inners("files", most=most):
        name = entry.text("name", most=_URL_CHARACTERS)
        url = entry.text("url", most=_URL_CHARACTERS)
        if not (name and url and wallet and space_name):
            continue
        try:
            path = paths.inside(name, wallet=wallet, space_name=space_name)
        except paths.PathError as error:
            entry.wrong("name", str(error))
        else:
            files.append(SpaceFile(path, url))
    try:
        paths.check_together(file.path for file in files)
    except paths.PathError as error:
        data.wrong("files", str(error))
    return tuple(files)


def _listed(problems: Sequence[str]) -> str:
    rest = len(problems) - _SHOWN_PROBLEMS
    more = [f"and {rest} more"] if rest > 0 else []
    return "the Space is described wrongly: " + "; ".join([*problems[:_SHOWN_PROBLEMS], *more])


def kind(space: Space) -> Kind:
    """Tell how a Space is deployed: LDL before model inference before an image build.

    Of several files that decide it, the one in the shallowest folder counts.

    Raises:
        Permanent: `source_invalid`: there is none, or one each in several folders.
    """
    found = [file.path for file in space.files]
    if path := _shallowest(found, "deploy.yaml", "deploy.yml"):
        return Kind("ldl", path)
    if path := _shallowest(found, "model-setting.json"):
        return Kind("model", path)
    if path := _shallowest(found, "Dockerfile"):
        return Kind("image", path)
    message = "the Space has no deploy.yaml, model-setting.json or Dockerfile"
    raise Permanent(message, category=_CATEGORY)


def _shallowest(found: Sequence[str], *names: str) -> str | None:
    ranks = {name.lower(): rank for rank, name in enumerate(names)}
    places = []
    for path in found:
        folder, _, name = path.rpartition("/")
        if (rank := ranks.get(name.lower())) is not None:
            places.append((path.count("/"), rank, folder, path))
    if not places:
        return None
    depth, _, folder, path = min(places)
    others = [place for place in places if place[0] == depth and place[2] != folder]
    if others:
        message = f"the Space has {path} and {others[0][3]}: only one of them can be deployed"
        raise Permanent(message, category=_CATEGORY)
    return path
