"""What Lagrange reads of the operator's terms, over real HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.context import opened
from tests import market
from tests.web import Web, serving

BASE = "/api/v1/computing/lagrange/cp"
WALLET = "0x" + "aB" * 20


@pytest.fixture
def folder(tmp_path: Path, redis_url: str) -> Path:
    """The folder of a provider with lists of wallets."""
    table = '[ADMISSION]\nWhiteList = "white.txt"\nPricing = true'
    (tmp_path / "config.toml").write_text(market.configuration(redis_url, more=table))
    return tmp_path


@pytest.fixture
def choosy(folder: Path) -> Iterator[Web]:
    """That provider's process `web`."""
    context = opened(str(folder))
    with serving(context) as found:
        yield found
    context.redis.close()


def test_lists_and_prices(choosy: Web, folder: Path) -> None:
    """In the envelope, as they are now; a list that there is not is empty."""
    (folder / "white.txt").write_text(f"{WALLET}  # ours\n")
    (folder / "price.toml").write_text('TARGET_CPU = "0.2"')
    answer = choosy.call("GET", f"{BASE}/whitelist")
    assert (answer.status, answer.json["status"]) == (200, "success")
    assert answer.json["data"] == [WALLET.lower()]
    assert choosy.call("GET", f"{BASE}/blacklist").json["data"] == []
    price = choosy.call("GET", f"{BASE}/price").json["data"]
    assert (price["cpu_price"], price["gpus_price"], price["pricing"]) == ("0.2", {}, True)


def test_what_cannot_be_read_is_not_empty(choosy: Web, folder: Path) -> None:
    """Whoever asks is told to come back."""
    (folder / "price.toml").write_text("TARGET_CPU")
    for path in ("whitelist", "price"):
        answer = choosy.call("GET", f"{BASE}/{path}")
        assert (answer.status, answer.json["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"] == "60"
