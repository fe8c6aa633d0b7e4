"""What an init container runs: fetch a service's models into a volume, resumed and checked.

Handed to `python3 -c` in an image that need not have anything of ours, so it uses the standard
library alone, of Python 3.11 or later. Arguments: the folder, the most bytes that it may hold, and
for each model a JSON object with `url`, `name` and `sha256` (hexadecimal, or empty). The model of
number n becomes the file `<folder>/<n>`. What ends it is the last line of its output, and is
written for the kubelet.
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
LONGEST_PAUSE_SECONDS = 30
REDIRECTS = 5
MIB = 1 << 20
HTTP = ("http://", "https://")
LAST_WORDS = Path("/dev/termination-log")
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
AGAIN = {408, 425, 429}
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class DownloadRefused(Exception):
    """Trying again cannot help."""


class Broken(Exception):
    """Trying again may help."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http and https alone, never from https to http; keeps what names a digest."""

    max_redirections = REDIRECTS

    def __init__(self) -> None:
        self.linked_etag = ""

    def redirect_request(  # noqa: PLR0917 - what it overrides has them.
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        self.linked_etag = headers.get("X-Linked-ETag") or self.linked_etag
        allowed = ("https://",) if req.full_url.startswith("https:") else HTTP
        if not newurl.startswith(allowed):
            raise DownloadRefused("it redirects to what is no https address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Model:
    """One model: where it comes from, what is there of it, and what is known of the whole."""

    def __init__(self, folder: Path, number: int, wanted: dict[str, str]) -> None:
        self.url, self.name = wanted["url"], wanted["name"]
        self.wanted = wanted["sha256"].lower()
        self.told = ""
        self.target = folder / str(number)
        self.part = folder / f"part-{number}"
        self.notes = folder / f"part-{number}.json"
        self.total = -1
        self.validator = ""

    def fetch(self, most: int) -> None:
        """Bring the whole file; what an earlier attempt left is gone on with."""
        if self.target.exists():
            say(f"{self.name}: is there already")
            return
        if not self.url.startswith(HTTP):
            raise DownloadRefused("its address is none of http or https")
        failed = 0
        while True:
            before = self.held()
            try:
                self.attempt(most)
            except Broken as error:
                failed = 0 if self.held() > before else failed + 1
                if failed >= ATTEMPTS:
                    raise DownloadRefused(f"{error}, {ATTEMPTS} times in a row") from None
                pause = min(2**failed, LONGEST_PAUSE_SECONDS)
                say(f"{self.name}: {error}; again in {pause} s, from {self.held()} bytes on")
                time.sleep(pause)
            else:
                break
        self.check()
        self.part.rename(self.target)
        self.notes.unlink()

    def held(self) -> int:
        """How many bytes are there."""
        return self.part.stat().st_size if self.part.exists() else 0

    def attempt(self, most: int) -> None:
        """Ask once for what is missing, and write it as it comes."""
        start = self.resumable()
        if start and start == self.total:
            return
        redirects = _Redirects()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), redirects)
        request = urllib.request.Request(self.url, headers={"Accept-Encoding": "identity"})  # noqa: S310 - `fetch` has looked.
        if start:
            request.add_header("Range", f"bytes={start}-")
            if self.validator:
                request.add_header("If-Range", self.validator)
        try:
            with opener.open(request, timeout=SOCKET_SECONDS) as answer:
                start = self.begin(answer, start, redirects.linked_etag)
                self.receive(answer, start, most)
        except urllib.error.HTTPError as error:
            self.refuse(error.code)
        except urllib.error.URLError as error:
            raise Broken(f"it cannot be reached ({error.reason})") from None
        except (http.client.HTTPException, OSError) as error:
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            raise Broken(f"the connection broke ({type(error).__name__})") from None

    def resumable(self) -> int:
        """How many bytes to go on from: none when nothing tells that they are of the same file."""
        try:
            known = json.loads(self.notes.read_text())
        except (OSError, ValueError):
            return 0
        self.total, self.validator, self.told = known["total"], known["validator"], known["told"]
        return self.held() if self.validator or self.wanted or self.told else 0

    def begin(self, answer: Any, start: int, linked_etag: str) -> int:
        """Read what the answer says of the whole file; return where its bytes begin."""
        headers = answer.headers
        if answer.status == http.client.PARTIAL_CONTENT:
            found = _RANGE.fullmatch(headers.get("Content-Range", ""))
            if found is None or int(found[1]) != start:
                self.part.unlink()
                raise Broken("it answers with another part than was asked for")
            self.total = int(found[2])
        else:
            start = 0
            length = headers.get("Content-Length", "")
            self.total = int(length) if length.isdigit() else -1
        self.validator = validator(headers)
        self.told = digest(headers, linked_etag) or (self.told if start else "")
        known = {"total": self.total, "validator": self.validator, "told": self.told}
        self.notes.write_text(json.dumps(known))
        return start

    def receive(self, answer: Any, start: int, most: int) -> None:
        """Write the answer's body behind the first `start` bytes, telling of it now and then."""
        refuse_excess(max(self.total, start), most)
        told, had, since = time.monotonic(), start, start
        with self.part.open("r+b" if start else "wb") as file:
            file.seek(start)
            file.truncate()
            while chunk := answer.read1(CHUNK_BYTES):
                had += len(chunk)
                refuse_excess(had, most)
                file.write(chunk)
                now = time.monotonic()
                if now - told >= REPORT_SECONDS:
                    self.report(had, (had - since) / (now - told))
                    told, since = now, had
        if self.total >= 0 and had < self.total:
            raise Broken(f"the connection ended after {had} of {self.total} bytes")
        self.report(had)

    def refuse(self, status: int) -> NoReturn:
        """Turn a status that is none of success into what to do about it."""
        if status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            self.part.unlink()
            raise Broken("it has no such part")
        if status in AGAIN or status >= http.client.INTERNAL_SERVER_ERROR:
            raise Broken(f"its server answers {status}")
        raise DownloadRefused(f"its server answers {status}")

    def check(self) -> None:
        """Compare the file with what is known of it."""
        had = self.held()
        if self.total not in {-1, had}:
            self.part.unlink()
            raise DownloadRefused(f"it has {had} bytes, not {self.total}")
        if expected := self.wanted or self.told:
            found = hashlib.sha256()
            with self.part.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    found.update(chunk)
            if found.hexdigest() != expected:
                self.part.unlink()
                raise DownloadRefused(f"its SHA-256 is {found.hexdigest()}, not {expected}")
        checked = "size and SHA-256" if expected else "size" if self.total >= 0 else "nothing"
        say(f"{self.name}: complete, {had} bytes; {checked} checked")

    def report(self, had: int, rate: float = 0) -> None:
        """Say how far it is."""
        whole = (
            f" of {self.total // MIB} MiB ({100 * had // self.total} %)" if self.total > 0 else ""
        )
        speed = f", {rate / MIB:.1f} MiB/s" if rate else ""
        say(f"{self.name}: {had // MIB} MiB{whole}{speed}")


def validator(headers: Message) -> str:
    """What tells whether a file is still the same: a strong ETag, else its time."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified", "")


def digest(headers: Message, linked_etag: str) -> str:
    """The SHA-256 that a server gives: by RFC 9530, or as Hugging Face does; else nothing."""
    linked = (headers.get("X-Linked-ETag") or linked_etag).strip('"')
    if _SHA256.fullmatch(linked):
        return linked.lower()
    found = re.search(r"sha-256=:([A-Za-z0-9+/=]{44}):", headers.get("Repr-Digest", ""))
    try:
        return base64.b64decode(found[1], validate=True).hex() if found else ""
    except binascii.Error:
        return ""


def refuse_excess(count: int, most: int) -> None:
    """Refuse what does not fit."""
    if count > most:
        raise DownloadRefused(
            f"it has more than the {most} bytes of ephemeral storage that are left for it"
        )


def say(line: str) -> None:
    """Write one line to the log at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Fetch every model, in order; what is there already counts against the folder's bytes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder, left = Path(sys.argv[1]), int(sys.argv[2])
    for number, argument in enumerate(sys.argv[3:]):
        model = Model(folder, number, json.loads(argument))
        try:
            model.fetch(left)
        except (DownloadRefused, OSError) as error:
            reason = f"{model.name} cannot be fetched: {error}"
            say(reason)
            if LAST_WORDS.exists():
                LAST_WORDS.write_text(reason)
            sys.exit(1)
        left -= model.target.stat().st_size


if __name__ == "__main__":
    main()
