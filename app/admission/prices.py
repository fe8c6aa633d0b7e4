"""The operator's prices, `price.toml` in the provider's folder, and bids.

As v1.1.5 has it: a TOML file of texts, each a price in SWAN for an hour,

    TARGET_CPU = "0.2"            # of one vCPU
    TARGET_MEMORY = "0.1"         # of one GiB of memory
    TARGET_HD_EPHEMERAL = "0.005" # of one GiB of ephemeral storage
    TARGET_GPU_DEFAULT = "1.6"    # of one GPU that has no price of its own
    TARGET_GPU_A4000 = "2.0"      # of one GPU of this product, spaces as `_`

A price that is empty or left out is 0, that of a product the default's. A job costs what its
order's hardware costs for its duration, to the second; its `bid_price` is for all of it. A job that
bids has to bid that much, and so does one of type 1, which is there to bid; others are sold at the
market's price. `[ADMISSION] Pricing = true` takes any bid (v1.1.5: `[API] Pricing`).
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path

from app.store.job_data import JobData
from k8s.inventory import gpus
from k8s.workload import Resources

FILE = "price.toml"
TOO_LOW = "bid_too_low"
UNREADABLE = "price_unreadable"
_CUSTOM = 1
_GPU = "TARGET_GPU_"
_DEFAULT_GPU = "TARGET_GPU_DEFAULT"
_MAX_BYTES = 1 << 20
_GIB = 1 << 30
_HOUR_SECONDS = 3600
_MAX_TEXT = 40
_SHOWN = Decimal("0.0001")


class UnreadablePrices(Exception):
    """The price list is none; each line names a key."""


class TooLow(Exception):
    """A bid is below the price; the text says both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """Prices in SWAN for an hour; `gpus` by product as `k8s.inventory.gpus.core` names it.

    `texts` is the file as it was written.
    """

    cpu: Decimal = Decimal()
    memory: Decimal = Decimal()
    storage: Decimal = Decimal()
    gpu: Decimal = Decimal()
    gpus: Mapping[str, Decimal] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    def cost(self, hardware: Resources, *, seconds: int) -> Decimal:
        """Return what an order's hardware costs for so long."""
        hourly = (
            self.cpu * hardware.cpu_millis / 1000
            + self.memory * hardware.memory_bytes / _GIB
            + self.storage * hardware.storage_bytes / _GIB
        )
        if hardware.gpu:
            hourly += self._of_gpu(hardware.gpu.models) * hardware.gpu.count
        return hourly * seconds / _HOUR_SECONDS

    def _of_gpu(self, models: tuple[str, ...]) -> Decimal:
        cores = (gpus.core(model) for model in models)
        return next((self.gpus[core] for core in cores if core in self.gpus), self.gpu)

    def told(self, *, pricing: bool) -> dict[str, object]:
        """Return the list as v1.1.5 answers `GET /lagrange/cp/price`."""
        others = {
            key: text
            for key, text in self.texts.items()
            if key.startswith(_GPU) and key != _DEFAULT_GPU
        }
        return {
            "cpu_price": self.texts.get("TARGET_CPU", ""),
            "memory_price": self.texts.get("TARGET_MEMORY", ""),
            "hd_ephemeral_price": self.texts.get("TARGET_HD_EPHEMERAL", ""),
            "gpu_default_price": self.texts.get(_DEFAULT_GPU, ""),
            "gpus_price": others,
            "pricing": pricing,
        }


def load(folder: Path) -> PriceList | None:
    """Return the price list of a provider's folder; None when there is none.

    Raises:
        Unreadable: It is no TOML, or a price is no number.
    """
    try:
        with (folder / FILE).open("rb") as file:
            document = tomllib.loads(file.read(_MAX_BYTES).decode())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadablePrices(f"{FILE}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnreadablePrices(f"{FILE}: {error}") from error
    return parse(document)


def parse(document: Mapping[str, object]) -> PriceList:
    """Return the price list that a TOML document is.

    Raises:
        Unreadable: A price is no number.
    """
    texts = {key: str(value).strip() for key, value in document.items()}
    prices: dict[str, Decimal] = {}
    for key, text in texts.items():
        price = number(text or "0")
        if price is None:
            raise UnreadablePrices(f"{FILE}: {key}: {text[:_MAX_TEXT]!r} is no price")
        if text:
            prices[key] = price
    products = (key for key in prices if key.startswith(_GPU) and key != _DEFAULT_GPU)
    return PriceList(
        cpu=prices.get("TARGET_CPU", Decimal()),
        memory=prices.get("TARGET_MEMORY", Decimal()),
        storage=prices.get("TARGET_HD_EPHEMERAL", Decimal()),
        gpu=prices.get(_DEFAULT_GPU, Decimal()),
        gpus={gpus.core(key.removeprefix(_GPU)): prices[key] for key in products},
        texts=texts,
    )


def number(text: str) -> Decimal | None:
    """Return an amount of SWAN; None when the text is none, is negative, or beyond reason."""
    try:
        price = Decimal(text.strip()) if len(text) <= _MAX_TEXT else None
    except InvalidOperation:
        return None
    if price is None or not price.is_finite() or price < 0 or price.adjusted() > _MAX_TEXT:
        return None
    return price


def bids(job: JobData) -> bool:
    """Tell whether a job comes with a bid of its own, or should."""
    return bool(job.bid_price.strip()) or job.job_type == _CUSTOM


def refuse_low(job: JobData, hardware: Resources, prices: PriceList, *, seconds: int) -> None:
    """Check a job's bid.

    Raises:
        TooLow: It is below the price, or no number.
    """
    if not bids(job):
        return
    cost = prices.cost(hardware, seconds=seconds)
    text = job.bid_price.strip()
    bid = number(text or "0")
    if bid is None:
        raise TooLow(f"bid_price {text[:_MAX_TEXT]!r} is no amount; the price is {_shown(cost)}")
    if bid < cost:
        raise TooLow(f"bids {_shown(bid)} for {seconds} s, the price is {_shown(cost)}")


def _shown(amount: Decimal) -> str:
    text = f"{amount.quantize(_SHOWN, ROUND_HALF_UP):f}" if amount < 10**12 else f"{amount:.6g}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} SWAN"
