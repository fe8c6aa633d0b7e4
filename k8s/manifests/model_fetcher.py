"""Program of an init container: fetch a service's models into a volume, resumable and checked.

Passed to `python3 -c` in an image that need not contain this project, so it uses only the standard
library, of Python 3.11 or later. Arguments: the folder, the most bytes that it may hold, and for
each model a JSON object with `url`, `name` and `sha256` (hexadecimal, or empty). Model number n
becomes the file `<folder>/<n>`. The reason of a failure is the last line of its output, and its
termination message for the kubelet.
"""

import base64
import binascii
import errno
import hashlib
import http.client
import json
import re
import signal
import sys
import time
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import IO, Any, NoReturn

CHUNK_BYTES = 1 << 20
SOCKET_SECONDS = 60
REPORT_SECONDS = 10
ATTEMPTS = 8
MAX_PAUSE_SECONDS = 30
MAX_REDIRECTS = 5
MIB = 1 << 20
SCHEMES = ("http://", "https://")
TERMINATION_MESSAGE = Path("/dev/termination-log")
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
RETRIED_STATUSES = {408, 425, 429}
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class DownloadRefused(Exception):
    """A download that a retry cannot help."""


class DownloadInterrupted(Exception):
    """A download that a retry may help."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only, never from https to http; notes a digest."""

    max_redirections = MAX_REDIRECTS

    def __init__(self) -> None:
        self.linked_etag = ""

    def redirect_request(  # noqa: PLR0917 - the overridden method has them.
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        self.linked_etag = headers.get("X-Linked-ETag") or self.linked_etag
        allowed = ("https://",) if req.full_url.startswith("https:") else SCHEMES
        if not newurl.startswith(allowed):
            raise DownloadRefused("it redirects to an address that is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Model:
    """One model: its source, its partial file, and the known properties of the whole file."""

    def __init__(self, folder: Path, number: int, order: dict[str, str]) -> None:
        self.url, self.name = order["url"], order["name"]
        self.ordered_digest = order["sha256"].lower()
        self.server_digest = ""
        self.target = folder / str(number)
        self.part = folder / f"part-{number}"
        self.notes = folder / f"part-{number}.json"
        self.total = -1
        self.validator = ""

    def fetch(self, max_bytes: int) -> None:
        """Fetch the whole file, resuming an earlier attempt."""
        if self.target.exists():
            say(f"{self.name}: already present")
            return
        if not self.url.startswith(SCHEMES):
            raise DownloadRefused("its address is neither http nor https")
        failures = 0
        while True:
            before = self.held()
            try:
                self.attempt(max_bytes)
            except DownloadInterrupted as error:
                failures = 0 if self.held() > before else failures + 1
                if failures >= ATTEMPTS:
                    raise DownloadRefused(f"{error}, {ATTEMPTS} times in a row") from None
                pause = min(2**failures, MAX_PAUSE_SECONDS)
                say(f"{self.name}: {error}; trying again in {pause} s from byte {self.held()}")
                time.sleep(pause)
            else:
                break
        self.check()
        self.part.rename(self.target)
        self.notes.unlink()

    def held(self) -> int:
        """Return the number of bytes fetched so far."""
        return self.part.stat().st_size if self.part.exists() else 0

    def attempt(self, max_bytes: int) -> None:
        """Request the missing bytes once, and write them as they arrive."""
        start = self.resumable()
        if start and start == self.total:
            return
        redirects = _Redirects()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), redirects)
        request = urllib.request.Request(self.url, headers={"Accept-Encoding": "identity"})  # noqa: S310 - `fetch` has checked it.
        if start:
            request.add_header("Range", f"bytes={start}-")
            if self.validator:
                request.add_header("If-Range", self.validator)
        try:
            with opener.open(request, timeout=SOCKET_SECONDS) as response:
                start = self.begin(response, start, redirects.linked_etag)
                self.receive(response, start, max_bytes)
        except urllib.error.HTTPError as error:
            self.refuse(error.code)
        except urllib.error.URLError as error:
            raise DownloadInterrupted(f"it cannot be reached ({error.reason})") from None
        except (http.client.HTTPException, OSError) as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise
            raise DownloadInterrupted(f"the connection broke ({type(error).__name__})") from None

    def resumable(self) -> int:
        """Return the offset to resume at: 0 when nothing proves that it is still the same file."""
        try:
            known = json.loads(self.notes.read_text())
        except (OSError, ValueError):
            return 0
        self.total, self.validator, self.server_digest = (
            known["total"],
            known["validator"],
            known["digest"],
        )
        return self.held() if self.validator or self.ordered_digest or self.server_digest else 0

    def begin(self, response: Any, start: int, linked_etag: str) -> int:
        """Read the properties of the file from a response; return the offset of its body."""
        headers = response.headers
        if response.status == http.client.PARTIAL_CONTENT:
            content_range = _RANGE.fullmatch(headers.get("Content-Range", ""))
            if content_range is None or int(content_range[1]) != start:
                self.part.unlink()
                raise DownloadInterrupted("it answers with another range than requested")
            self.total = int(content_range[2])
        else:
            start = 0
            length = headers.get("Content-Length", "")
            self.total = int(length) if length.isdigit() else -1
        self.validator = validator(headers)
        self.server_digest = digest(headers, linked_etag) or (self.server_digest if start else "")
        known = {"total": self.total, "validator": self.validator, "digest": self.server_digest}
        self.notes.write_text(json.dumps(known))
        return start

    def receive(self, response: Any, start: int, max_bytes: int) -> None:
        """Write the body of a response at the offset `start`, reporting progress now and then."""
        refuse_excess(max(self.total, start), max_bytes)
        reported_at, reported, size = time.monotonic(), start, start
        with self.part.open("r+b" if start else "wb") as file:
            file.seek(start)
            file.truncate()
            while chunk := response.read1(CHUNK_BYTES):
                size += len(chunk)
                refuse_excess(size, max_bytes)
                file.write(chunk)
                now = time.monotonic()
                if now - reported_at >= REPORT_SECONDS:
                    self.report(size, (size - reported) / (now - reported_at))
                    reported_at, reported = now, size
        if self.total >= 0 and size < self.total:
            raise DownloadInterrupted(f"the connection ended after {size} of {self.total} bytes")
        self.report(size)

    def refuse(self, status: int) -> NoReturn:
        """Raise the error that the status of a failed request stands for."""
        if status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            self.part.unlink()
            raise DownloadInterrupted("it has no such range")
        if status in RETRIED_STATUSES or status >= http.client.INTERNAL_SERVER_ERROR:
            raise DownloadInterrupted(f"its server answers {status}")
        raise DownloadRefused(f"its server answers {status}")

    def check(self) -> None:
        """Check the file against its known size and digest."""
        size = self.held()
        if self.total not in {-1, size}:
            self.part.unlink()
            raise DownloadRefused(f"it has {size} bytes, not {self.total}")
        if expected := self.ordered_digest or self.server_digest:
            sha256 = hashlib.sha256()
            with self.part.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    sha256.update(chunk)
            if sha256.hexdigest() != expected:
                self.part.unlink()
                raise DownloadRefused(f"its SHA-256 is {sha256.hexdigest()}, not {expected}")
        checked = "size and SHA-256" if expected else "size" if self.total >= 0 else "nothing"
        say(f"{self.name}: complete, {size} bytes; {checked} checked")

    def report(self, size: int, rate: float = 0) -> None:
        """Log the progress."""
        total = (
            f" of {self.total // MIB} MiB ({100 * size // self.total} %)" if self.total > 0 else ""
        )
        speed = f", {rate / MIB:.1f} MiB/s" if rate else ""
        say(f"{self.name}: {size // MIB} MiB{total}{speed}")


def validator(headers: Message) -> str:
    """Return a validator for resuming: a strong ETag, else the time of modification."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified", "")


def digest(headers: Message, linked_etag: str) -> str:
    """Return the SHA-256 that a server states, by RFC 9530 or as Hugging Face does, or empty."""
    linked = (headers.get("X-Linked-ETag") or linked_etag).strip('"')
    if _SHA256.fullmatch(linked):
        return linked.lower()
    stated = re.search(r"sha-256=:([A-Za-z0-9+/=]{44}):", headers.get("Repr-Digest", ""))
    try:
        return base64.b64decode(stated[1], validate=True).hex() if stated else ""
    except binascii.Error:
        return ""


def refuse_excess(count: int, max_bytes: int) -> None:
    """Refuse a file that does not fit."""
    if count > max_bytes:
        raise DownloadRefused(
            f"it has more than the {max_bytes} bytes of ephemeral storage that are left for it"
        )


def say(line: str) -> None:
    """Write one line to the log at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Fetch every model in order; models present already count against the folder's limit."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder, left = Path(sys.argv[1]), int(sys.argv[2])
    for number, argument in enumerate(sys.argv[3:]):
        model = Model(folder, number, json.loads(argument))
        try:
            model.fetch(left)
        except (DownloadRefused, OSError) as error:
            reason = f"{model.name} cannot be fetched: {error}"
            say(reason)
            if TERMINATION_MESSAGE.exists():
                TERMINATION_MESSAGE.write_text(reason)
            sys.exit(1)
        left -= model.target.stat().st_size


if __name__ == "__main__":
    main()
