"""A Space as Lagrange describes it: its owner, its hardware, and where its files are."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from app.errors import Permanent
from app.net import typed_json
from app.spaces.ldl import InvalidDeployment, hardware
from app.spaces.source import file_paths
from app.store.job_data import Uuid
from k8s.workload import Resources

_CATEGORY = "source_invalid"
_SHOWN_PROBLEMS = 10
_PRINTABLE = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]"

Wallet = Annotated[
    str, Meta(pattern=r"^0[xX][0-9a-fA-F]{40}\Z", description="0x and 40 hexadecimal digits")
]
Line = Annotated[
    str,
    Meta(
        pattern=rf"^(?=.*\S){_PRINTABLE}{{1,255}}\Z",
        description="a text of 1 to 255 characters, none of them a control character",
    ),
]
LongLine = Annotated[
    str,
    Meta(
        pattern=rf"^(?=.*\S){_PRINTABLE}{{1,8192}}\Z",
        description="a text of 1 to 8192 characters, none of them a control character",
    ),
]
# Lagrange writes numbers as numbers and as texts.
Count = Annotated[
    Annotated[int, Meta(ge=0, le=1 << 53)]
    | Annotated[float, Meta(ge=0, le=1 << 53, multiple_of=1)]
    | Annotated[str, Meta(pattern=r"^[0-9]{0,15}\Z")]
    | None,
    Meta(description="a whole number from 0"),
]


class _File(msgspec.Struct, frozen=True):
    name: LongLine
    url: LongLine


class _Owner(msgspec.Struct, frozen=True):
    public_address: Wallet


class _Config(msgspec.Struct, frozen=True):
    description: Line
    gpu: Count = None
    storage: Count = None


class _Order(msgspec.Struct, frozen=True):
    config: _Config


class _Details(msgspec.Struct, frozen=True):
    uuid: Uuid
    name: Line
    active_order: _Order = msgspec.field(name="activeOrder")


class _Data(msgspec.Struct, frozen=True):
    files: list[_File]
    owner: _Owner
    space: _Details


class _Description(msgspec.Struct, frozen=True):
    data: _Data


@dataclass(frozen=True, slots=True)
class SpaceFile:
    """A file of a Space: its path there, checked, and the URL of its content, not checked."""

    path: str
    url: str


@dataclass(frozen=True)
class Space:
    """A Space as Lagrange describes it.

    Attributes:
        uuid: Lower case.
        name: As its owner wrote it, without control characters.
        wallet: The owner's `0x…` address, lower case.
        hardware: The order's description, `CPU only · 2 vCPU · 16 GiB`.
        gpu_count: GPUs of the order, if it gives them.
        storage_bytes: Ephemeral storage of the order, if it gives that.
        files: Different files on every file system.
    """

    uuid: str
    name: str
    wallet: str
    hardware: str
    gpu_count: int | None
    storage_bytes: int | None
    files: tuple[SpaceFile, ...]

    @cached_property
    def order(self) -> Resources:
        """The hardware that was ordered.

        Raises:
            Permanent: `ldl_refused`: the description has another form.
        """
        try:
            return hardware.parse(
                self.hardware, gpu_count=self.gpu_count, storage_bytes=self.storage_bytes
            )
        except InvalidDeployment as invalid:
            raise invalid.failure() from None


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """Limits of one Space: the number of files, bytes of each and of all, seconds for all."""

    files: int
    file_bytes: int
    total_bytes: int
    seconds: float


class Kind(NamedTuple):
    """A way to deploy a Space, and the path of the file that decides it."""

    name: Literal["ldl", "model", "image"]
    path: str


def read(body: bytes, *, max_files: int) -> Space:
    """Read the JSON that describes a Space; unknown fields are ignored.

    Raises:
        Permanent: `source_invalid`, naming every wrong field or, where there is none, every file
            with a wrong path.
    """
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Permanent("the Space's description is not JSON", category=_CATEGORY) from None
    try:
        data = typed_json.check(document, _Description).data
    except typed_json.Invalid as invalid:
        raise _invalid(
            f"{_path(error.pointer)}: {error.detail}" for error in invalid.errors
        ) from None
    details, config = data.space, data.space.active_order.config
    wallet = data.owner.public_address.lower()
    return Space(
        uuid=details.uuid.lower(),
        name=details.name,
        wallet=wallet,
        hardware=config.description,
        gpu_count=_whole(config.gpu),
        storage_bytes=_whole(config.storage),
        files=_files(data.files, wallet=wallet, space_name=details.name, max_files=max_files),
    )


def _files(
    entries: Sequence[_File], *, wallet: str, space_name: str, max_files: int
) -> tuple[SpaceFile, ...]:
    if len(entries) > max_files:
        raise _invalid([f"data.files: {len(entries)} entries, at most {max_files} are allowed"])
    files, problems = [], []
    for index, entry in enumerate(entries):
        try:
            path = file_paths.inside(entry.name, wallet=wallet, space_name=space_name)
        except file_paths.PathError as error:
            problems.append(f"data.files[{index}].name: {error}")
        else:
            files.append(SpaceFile(path, entry.url))
    try:
        file_paths.check_together(file.path for file in files)
    except file_paths.PathError as error:
        problems.append(f"data.files: {error}")
    if problems:
        raise _invalid(problems)
    return tuple(files)


def _whole(count: float | str | None) -> int | None:
    return None if count is None or count == "" else int(count)


def _path(pointer: str) -> str:
    """Write a JSON pointer as a path: `/data/files/3/name` as `data.files[3].name`."""
    path = re.sub(r"/([0-9]+)", r"[\1]", pointer).replace("/", ".")
    return path.removeprefix(".") or "the document"


def _invalid(problems: Iterable[str]) -> Permanent:
    shown = list(problems)
    rest = len(shown) - _SHOWN_PROBLEMS
    more = [f"and {rest} more"] if rest > 0 else []
    message = "the Space's description is invalid: "
    return Permanent(message + "; ".join([*shown[:_SHOWN_PROBLEMS], *more]), category=_CATEGORY)


def kind(space: Space) -> Kind:
    """Decide how to deploy a Space: LDL before model inference before an image build.

    Of several files that decide it, the one in the shallowest folder counts.

    Raises:
        Permanent: `source_invalid`: there is no such file, or one each in several folders.
    """
    names = [file.path for file in space.files]
    if path := _shallowest(names, "deploy.yaml", "deploy.yml"):
        return Kind("ldl", path)
    if path := _shallowest(names, "model-setting.json"):
        return Kind("model", path)
    if path := _shallowest(names, "Dockerfile"):
        return Kind("image", path)
    message = "the Space has no deploy.yaml, model-setting.json or Dockerfile"
    raise Permanent(message, category=_CATEGORY)


def _shallowest(files: Sequence[str], *names: str) -> str | None:
    ranks = {name.lower(): rank for rank, name in enumerate(names)}
    candidates = []
    for path in files:
        folder, _, name = path.rpartition("/")
        if (rank := ranks.get(name.lower())) is not None:
            candidates.append((path.count("/"), rank, folder, path))
    if not candidates:
        return None
    depth, _, folder, path = min(candidates)
    others = [other for other in candidates if other[0] == depth and other[2] != folder]
    if others:
        message = f"the Space has {path} and {others[0][3]}: only one of them can be deployed"
        raise Permanent(message, category=_CATEGORY)
    return path
