"""A tenant's files read in a process of its own, which is bounded and may die.

The process starts afresh rather than as a fork: its limits are absolute, a worker's threads and
secrets are not in it, and its start (some 0.1 s of CPU) is little beside a download.
"""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import TypeVar

import msgspec

import app
from app.errors import Permanent, Temporary
from app.spaces import dockerfile, ldl, planning
from app.spaces.dockerfile import Dockerfile
from app.spaces.files import Files
from app.spaces.image_registries import ImageRegistries
from app.spaces.planning import Plan, WorkloadNames
from k8s.workload import Capabilities, Resources

CATEGORY = "source_too_costly"
CPU_SECONDS = 10
MEMORY_BYTES = 512 << 20
WALL_SECONDS = 60.0

_COMMAND = (sys.executable, "-m", "app.spaces.reader")
_REFUSED_STATUS = 3
_MEMORY_STATUS = 4
_ENVIRONMENT = {"PYTHONPATH": str(Path(app.__file__).parents[1])}
# The signals that a process gets for what it does itself.
_CRASHES = {-signal.SIGXCPU, -signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS}

_T = TypeVar("_T")


class _DeployFile(msgspec.Struct, frozen=True, tag=True):
    """Reading of a deployment file, as `planning.plan`."""

    names: WorkloadNames
    hardware: Resources | None
    capabilities: Capabilities
    registries: ImageRegistries


class _Dockerfile(msgspec.Struct, frozen=True, tag=True):
    """Reading of a Dockerfile."""


class _ModelSetting(msgspec.Struct, frozen=True, tag=True):
    """Reading of a `model-setting.json`."""


class _Request(msgspec.Struct, frozen=True):
    """A file to read: the Space's folder and its paths, the file's own, and what it is."""

    folder: str
    paths: tuple[str, ...]
    path: str
    kind: _DeployFile | _Dockerfile | _ModelSetting


class _Refusal(msgspec.Struct, frozen=True):
    category: str
    message: str


def plan(
    names: WorkloadNames,
    files: Files,
    deploy_file: str,
    *,
    hardware: Resources | None,
    capabilities: Capabilities,
    registries: ImageRegistries,
) -> Plan:
    """Plan as `planning.plan`.

    Raises:
        Permanent: `ldl_refused`, `source_too_large`, `source_too_costly`.
        Temporary: `slow`, `disk`: the machine is busy, or the files cannot be read.
    """
    return _read(files, deploy_file, _DeployFile(names, hardware, capabilities, registries), Plan)


def read_dockerfile(files: Files, path: str) -> Dockerfile:
    """Read a Dockerfile.

    Raises:
        Permanent: `source_too_large`, `source_too_costly`.
        Temporary: As `plan`.
    """
    return _read(files, path, _Dockerfile(), Dockerfile)


def model_id(files: Files, path: str) -> str:
    """Return the model that a `model-setting.json` names.

    Raises:
        Permanent: `model_invalid`, `source_too_large`, `source_too_costly`.
        Temporary: As `plan`.
    """
    return _read(files, path, _ModelSetting(), str)


def _read(
    files: Files, path: str, kind: _DeployFile | _Dockerfile | _ModelSetting, result: type[_T]
) -> _T:
    request = _Request(str(files.folder.absolute()), tuple(files), path, kind)
    try:
        done = subprocess.run(  # noqa: S603 - the arguments are ours.
            _COMMAND,
            input=msgspec.json.encode(request),
            capture_output=True,
            timeout=WALL_SECONDS,
            env=_ENVIRONMENT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        message = f"{path} was not read within {WALL_SECONDS:g} s"
        raise Temporary(message, category="slow") from None
    if done.returncode == 0:
        return msgspec.json.decode(done.stdout, type=result)
    if done.returncode == _REFUSED_STATUS:
        refusal = msgspec.json.decode(done.stdout, type=_Refusal)
        raise Permanent(refusal.message, category=refusal.category)
    raise _failure(path, done)


def _failure(path: str, done: "subprocess.CompletedProcess[bytes]") -> Exception:
    if done.returncode in {_MEMORY_STATUS, *_CRASHES}:
        message = (
            f"{path} cannot be read with {CPU_SECONDS} s of CPU and {MEMORY_BYTES >> 20} MiB of"
            " memory; make it smaller and simpler"
        )
        return Permanent(message, category=CATEGORY)
    if done.returncode < 0:
        return Temporary(f"{path} was not read: its process was killed", category="slow")
    return RuntimeError(done.stderr.decode(errors="replace"))


def _answer(request: _Request) -> object:
    files, path = Files(Path(request.folder), request.paths), request.path
    match request.kind:
        case _DeployFile(names, hardware, capabilities, registries):
            return planning.plan(
                names,
                files,
                path,
                hardware=hardware,
                capabilities=capabilities,
                registries=registries,
            )
        case _Dockerfile():
            return dockerfile.read(files.read(path, max_bytes=dockerfile.MAX_BYTES))
        case _ModelSetting():
            from app.spaces.inference import model_setting  # noqa: PLC0415 - it imports aiohttp.

            return model_setting.read(files.read(path, max_bytes=model_setting.MAX_BYTES))


def main() -> int:
    """Answer the request of standard input on standard output, within the limits."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=_Request)
    try:
        answer, status = _answer(request), 0
    except ldl.InvalidDeployment as invalid:
        failure = invalid.failure()
        answer, status = _Refusal(failure.category, failure.message), _REFUSED_STATUS
    except Permanent as error:
        answer, status = _Refusal(error.category, error.message), _REFUSED_STATUS
    except MemoryError:
        os._exit(_MEMORY_STATUS)
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    return status


if __name__ == "__main__":
    sys.exit(main())
