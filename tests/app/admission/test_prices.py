"""Prices and bids, as v1.1.5 has them."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.admission import prices as admission_prices
from app.admission.prices import PriceList, TooLow, UnreadablePrices
from app.store.job_data import JobData
from k8s.workload import Gpu, Resources

FILE = """
TARGET_CPU="0.2"            # SWAN/thread-hour
TARGET_MEMORY="0.1"         # SWAN/GB-hour
TARGET_HD_EPHEMERAL="0.005" # SWAN/GB-hour
TARGET_HD_PERS_SSD=""       # of later versions
TARGET_GPU_DEFAULT="1.6"    # SWAN/Default GPU unit a hour
TARGET_GPU_A4000="2.5"      # SWAN/A4000 GPU unit a hour
TARGET_GPU_GeForce_RTX_3080=""
"""
CPU = Resources(cpu_millis=4000, memory_bytes=8 << 30, storage_bytes=30 << 30)


def listed(folder: Path, text: str = FILE) -> PriceList:
    """The list of a folder with this file."""
    (folder / "price.toml").write_text(text)
    found = admission_prices.load(folder)
    assert found is not None
    return found


def job(bid: str = "", kind: int = 0) -> JobData:
    """A job with a bid."""
    return JobData(
        uuid="1" * 8, duration=900, job_source_uri="https://x", bid_price=bid, job_type=kind
    )


@pytest.mark.parametrize(
    ("gpu", "seconds", "cost"),
    [
        (None, 3600, "1.75"),
        (None, 1800, "0.875"),
        (None, 1, "0.000486"),
        (Gpu(count=2, models=("NVIDIA-A4000",)), 3600, "6.75"),
        (Gpu(count=1, models=("NVIDIA-RTX-A4000",)), 3600, "4.25"),
        (Gpu(count=1, models=("NVIDIA-3080",)), 3600, "3.35"),
        (Gpu(count=3), 7200, "13.1"),
    ],
)
def test_what_a_job_costs(tmp_path: Path, gpu: Gpu | None, seconds: int, cost: str) -> None:
    """Hardware times prices times hours, part of an hour included; products by any spelling."""
    found = listed(tmp_path).cost(replace(CPU, gpu=gpu), seconds=seconds)
    assert round(found, 6) == Decimal(cost)


@pytest.mark.parametrize(
    ("bid", "kind", "reason"),
    [
        ("1.75", 0, ""),
        ("2", 1, ""),
        ("", 0, ""),
        ("1.7499", 0, "bids 1.7499 SWAN for 3600 s, the price is 1.75 SWAN"),
        ("1.5", 1, "bids 1.5 SWAN for 3600 s, the price is 1.75 SWAN"),
        ("", 1, "bids 0 SWAN for 3600 s, the price is 1.75 SWAN"),
        ("0", 0, "bids 0 SWAN for 3600 s, the price is 1.75 SWAN"),
        ("cheap", 0, "bid_price 'cheap' is no amount; the price is 1.75 SWAN"),
        ("-5", 0, "bid_price '-5' is no amount; the price is 1.75 SWAN"),
        ("NaN", 0, "bid_price 'NaN' is no amount; the price is 1.75 SWAN"),
        ("1e999999", 0, "bid_price '1e999999' is no amount; the price is 1.75 SWAN"),
    ],
)
def test_a_bid_has_to_be_the_price(tmp_path: Path, bid: str, kind: int, reason: str) -> None:
    """For who bids, or should; others are sold at the market's price."""
    prices = listed(tmp_path)
    if not reason:
        admission_prices.refuse_low(job(bid, kind), CPU, prices, seconds=3600)
        return
    with pytest.raises(TooLow) as caught:
        admission_prices.refuse_low(job(bid, kind), CPU, prices, seconds=3600)
    assert str(caught.value) == reason


def test_no_prices(tmp_path: Path) -> None:
    """Without a file there are none; an empty one sells everything for nothing."""
    assert admission_prices.load(tmp_path) is None
    assert listed(tmp_path, "").cost(CPU, seconds=3600) == 0


@pytest.mark.parametrize("text", ["TARGET_CPU", 'TARGET_CPU="x"', 'TARGET_GPU_T4="-1"', "\udcff"])
def test_a_file_that_is_no_price_list(tmp_path: Path, text: str) -> None:
    """Is not taken for one without prices."""
    (tmp_path / "price.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UnreadablePrices, match=r"price\.toml"):
        admission_prices.load(tmp_path)


def test_prices_as_lagrange_asks_for_them(tmp_path: Path) -> None:
    """In the words of v1.1.5, as the operator wrote them."""
    assert listed(tmp_path).told(pricing=False) == {
        "cpu_price": "0.2",
        "memory_price": "0.1",
        "hd_ephemeral_price": "0.005",
        "gpu_default_price": "1.6",
        "gpus_price": {"TARGET_GPU_A4000": "2.5", "TARGET_GPU_GeForce_RTX_3080": ""},
        "pricing": False,
    }


@given(st.text(max_size=60))
def test_any_bid_is_an_amount_or_none(bid: str) -> None:
    """Nothing that somebody writes breaks the check, and what it says is short."""
    prices = admission_prices.parse({"TARGET_CPU": 1})
    told = ""
    try:
        admission_prices.refuse_low(
            msgspec.structs.replace(job(), bid_price=bid), CPU, prices, seconds=1
        )
    except TooLow as error:
        told = str(error)
    assert len(told) < 300
