"""The operator's white list and black list of wallets.

A list is a text with one `0x…` address a line, `#` begins a comment; a JSON array of addresses will
do too. It is a file of the provider's folder, or comes from a URL and is remembered for some
minutes. Wallets are compared without case.

A white list that cannot be read lets nobody in: that fails closed. A black list that cannot be read
stays as it was known last, for a day.
"""

import hashlib
import re
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import msgspec
import structlog

from app.config import Admission
from app.errors import Failure, Permanent
from app.net.http_client import Fetcher, FetchLimits
from app.store import Store, redis_keys

log = structlog.get_logger()

NOT_ADMITTED = "not_admitted"
MAX_BYTES = 4 << 20
MAX_WALLETS = 80_000
_SECONDS = 10.0
_REMEMBERED = timedelta(days=1)
_WALLET = re.compile(r"0x[0-9a-f]{40}")

Wallets = frozenset[str]


class UnreadableList(Exception):
    """A list cannot be had; the text says why."""


class _Remembered(msgspec.Struct, frozen=True):
    at: float
    wallets: frozenset[str]


def parse(text: str) -> Wallets:
    """Return the addresses of a list, lower case; entries that are none are told in the log.

    Raises:
        Unreadable: It has entries, and not one of them is an address: an error page, not a list.
    """
    entries = [entry.lower() for entry in _entries(text)]
    wallets = frozenset(entry for entry in entries if _WALLET.fullmatch(entry))
    wrong = [entry[:60] for entry in entries if entry not in wallets]
    if wrong and not wallets:
        raise UnreadableList(f"{wrong[0]!r} is no wallet's address (0x and 40 hex digits)")
    if wrong:
        log.warning("wallets not understood", entries=wrong[:10], count=len(wrong))
    if len(wallets) > MAX_WALLETS:
        raise UnreadableList(f"it has more than {MAX_WALLETS:,} wallets")
    return wallets


def _entries(text: str) -> Iterable[str]:
    text = text.removeprefix("\ufeff").strip()
    if text.startswith("["):
        try:
            return [entry.strip() for entry in msgspec.json.decode(text, type=list[str])]
        except msgspec.DecodeError as error:
            raise UnreadableList(f"it is no JSON array of addresses: {error}") from error
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


class Lists:
    """The lists of one provider.

    Args:
        table: Where they are.
        folder: The provider's.
        store: Where what URLs gave is remembered, for all processes.
    """

    def __init__(self, table: Admission, folder: Path, store: Store) -> None:
        self._table = table
        self._folder = folder
        self._store = store

    async def refuse_unwanted(self, wallet: str) -> None:
        """Check whether this wallet's Spaces may run here.

        Raises:
            Permanent: `not_admitted`.
            Temporary: Redis is away.
        """
        if self._table.white_list and wallet.lower() not in await self._white():
            raise Permanent(
                f"wallet {wallet} is not on this provider's white list", category=NOT_ADMITTED
            )
        if self._table.black_list and wallet.lower() in await self._black():
            raise Permanent(
                f"wallet {wallet} is on this provider's black list", category=NOT_ADMITTED
            )

    async def _white(self) -> Wallets:
        try:
            return await self.read(self._table.white_list)
        except UnreadableList as error:
            log.error("white list not readable", error=str(error))  # noqa: TRY400 - no fault of ours.
            message = "this provider cannot read its white list at the moment and lets nobody in"
            raise Permanent(message, category=NOT_ADMITTED) from error

    async def _black(self) -> Wallets:
        source = self._table.black_list
        try:
            return await self.read(source)
        except UnreadableList as error:
            known = self._remembered(source)
            log.error(  # noqa: TRY400 - no fault of ours.
                "black list not readable", error=str(error), remembered=known is not None
            )
            return known.wallets if known else frozenset()

    async def read(self, source: str) -> Wallets:
        """Return the wallets of one list, lower case; a URL's as it was known some minutes ago.

        Raises:
            Unreadable: It cannot be had.
            Temporary: Redis is away.
        """
        if not source.lower().startswith(("http://", "https://")):
            return self._file(source)
        known = self._remembered(source)
        if known and abs(time.time() - known.at) <= self._table.lists_kept_seconds:
            return known.wallets
        wallets = await _fetched(source)
        content = msgspec.json.encode(_Remembered(time.time(), wallets))
        self._store.set_value(_key(source), content, _REMEMBERED)
        return wallets

    def _file(self, source: str) -> Wallets:
        path = self._folder / Path(source).expanduser()
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise UnreadableList(f"{path}: {error.strerror}") from error
        return _decoded(content)

    def _remembered(self, source: str) -> _Remembered | None:
        content = self._store.value(_key(source))
        try:
            return msgspec.json.decode(content, type=_Remembered) if content else None
        except msgspec.DecodeError:
            return None


async def _fetched(url: str) -> Wallets:
    """The operator's own URL: it may be on the operator's own network."""
    try:
        async with Fetcher(allow_private=True) as fetcher:
            content = await fetcher.get(url, limits=FetchLimits(bytes=MAX_BYTES, seconds=_SECONDS))
    except Failure as error:
        raise UnreadableList(error.message) from error
    return _decoded(content)


def _decoded(content: bytes) -> Wallets:
    if len(content) > MAX_BYTES:
        raise UnreadableList(f"it is larger than {MAX_BYTES:,} bytes")
    try:
        return parse(content.decode())
    except UnicodeDecodeError as error:
        raise UnreadableList("it is no text in UTF-8") from error


def _key(source: str) -> str:
    return redis_keys.wallets(hashlib.sha256(source.encode()).hexdigest())
