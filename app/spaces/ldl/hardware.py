"""Parser for the order's hardware, as Lagrange describes it: `CPU only · 2 vCPU · 16 GiB`."""

import re

from app.spaces.ldl import quantities
from app.spaces.ldl.diagnostics import InvalidDeployment, Problem, quote
from k8s.inventory import gpus
from k8s.workload import Gpu, Resources

DEFAULT_STORAGE_BYTES = 30 << 30
MAX_GPUS = 64

_MAX_DESCRIPTION = 200
_PARTS = 3
_VCPU = re.compile(r"([0-9.]+)\s*(?:v?cpus?|cores?)?", re.IGNORECASE)


def parse(
    description: str, *, gpu_count: int | None = None, storage_bytes: int | None = None
) -> Resources:
    """The resources of an order described as `Nvidia A4000 · 4 vCPU · 32 GiB`.

    Args:
        description: GPU or `CPU only`, then vCPUs, then memory, separated by `·`.
        gpu_count: Number of GPUs, if the order has it; by default one if it names a GPU.
        storage_bytes: Ephemeral storage, if the order has it; 30Gi by default.

    Raises:
        InvalidDeployment: The description has another form; the path is `hardware`.
    """
    parts = [part.strip() for part in description[:_MAX_DESCRIPTION].split("·")]
    if len(parts) != _PARTS or not all(parts):
        raise _refused(description, "must read like `CPU only · 2 vCPU · 16 GiB`")
    try:
        cpu_millis = quantities.cpu_millis(_cores(parts[1]))
        memory_bytes = quantities.size_bytes(parts[2])
    except ValueError as error:
        raise _refused(description, str(error)) from error
    return Resources(
        cpu_millis=cpu_millis,
        memory_bytes=memory_bytes,
        storage_bytes=_storage(storage_bytes),
        gpu=_gpu(parts[0], gpu_count),
    )


def _cores(part: str) -> str:
    match = _VCPU.fullmatch(part)
    if not match:
        raise ValueError(f"{quote(part)} must be a number of vCPUs")
    return match[1]


def _storage(storage_bytes: int | None) -> int:
    if storage_bytes is None or storage_bytes == 0:
        return DEFAULT_STORAGE_BYTES
    if not quantities.MIN_BYTES <= storage_bytes <= quantities.MAX_BYTES:
        raise InvalidDeployment(
            Problem("hardware", f"storage of {storage_bytes} bytes is implausible")
        )
    return storage_bytes


def _gpu(part: str, count: int | None) -> Gpu | None:
    if "CPU" in part.upper() or count == 0:
        return None
    if count is not None and not 0 < count <= MAX_GPUS:
        raise InvalidDeployment(
            Problem("hardware", f"must have from 0 to {MAX_GPUS} GPUs, not {count}")
        )
    name = gpus.label_as_written(part)
    if not name:
        raise _refused(part, "names no GPU")
    return Gpu(count=count or 1, models=(name,))


def _refused(description: str, message: str) -> InvalidDeployment:
    return InvalidDeployment(Problem("hardware", f"{quote(description)} {message}"))
