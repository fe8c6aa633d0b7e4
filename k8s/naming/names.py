"""Names of Kubernetes objects from untrusted words: legal, deterministic, and free of collisions.

A word that is a legal name already stays as it is. A word that had to be changed or cut gets a hash
of the original appended, and so does a legal word that looks as if it had one, or like a name that
the provider forms itself; so two different words never get the same name.
"""

import hashlib
import re

MAX_LABEL = 63
MAX_SUBDOMAIN = 253

_HASH_LENGTH = 8
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_KEY = re.compile(rf"({_SUBDOMAIN.pattern}/)?{_VALUE.pattern}")
_RESERVED = re.compile(r".*-[0-9a-f]{8}|(.*-)?node|ip(-.*)?")
_SPACE_LENGTH = 36


def dns_label(word: str, *, limit: int = MAX_LABEL) -> str:
    """Turn `word` into a DNS label of at most `limit` characters, which is 10 or more."""
    if len(word) <= limit and _LABEL.fullmatch(word) and not _RESERVED.fullmatch(word):
        return word
    return _hashed(re.sub(r"[^a-z0-9]+", "-", word.lower()), word, limit)


def _hashed(start: str, word: str, limit: int) -> str:
    digest = hashlib.sha256(word.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]
    start = start[: limit - _HASH_LENGTH - 1].strip("-.")
    return f"{start or 'x'}-{digest}"


def label_value(word: str) -> str:
    """Turn `word` into the value of a label."""
    return word if len(word) <= MAX_LABEL and _VALUE.fullmatch(word) else dns_label(word)


def is_label_key(word: str) -> bool:
    """Return whether `word` is a legal label key."""
    prefix, _, name = word.rpartition("/")
    if len(name) > MAX_LABEL or len(prefix) > MAX_SUBDOMAIN:
        return False
    return bool(_KEY.fullmatch(word))


def is_host(word: str) -> bool:
    """Return whether `word` is a legal host name, for a route or a pod's hosts file."""
    return len(word) <= MAX_SUBDOMAIN and bool(_SUBDOMAIN.fullmatch(word))


def namespace(wallet: str) -> str:
    """Return the name of the tenant's namespace."""
    return dns_label(f"ns-{wallet.lower()}")


def space(space_uuid: str) -> str:
    """Return the part of the Space in the names of its objects."""
    return dns_label(space_uuid.lower(), limit=_SPACE_LENGTH)


def object_name(
    prefix: str, space_uuid: str, word: str = "", *, before: str = "", after: str = ""
) -> str:
    """Join `prefix-<space_uuid>-before-<word>-after`, without empty parts; up to 63 characters."""
    head = "-".join(part for part in (prefix, space(space_uuid), before) if part)
    tail = f"-{after}" if after else ""
    if not word:
        return head + tail
    return f"{head}-{dns_label(word, limit=MAX_LABEL - len(head) - 1 - len(tail))}{tail}"


def config_map(space_uuid: str, file: str) -> str:
    """Name the ConfigMap of one of the Space's files: `<space_uuid>-<file>`, dots kept."""
    start = space(space_uuid)
    name = f"{start}-{file}"
    if is_host(name) and not _RESERVED.fullmatch(file):
        return name
    plain = re.sub(r"[^a-z0-9]+", "-", file.lower())
    return f"{start}-{_hashed(plain, file, MAX_SUBDOMAIN - len(start) - 1)}"


def endpoint_port(component: str, number: int, protocol: str) -> str:
    """Name a container port uniquely within the Space, in at most 15 characters."""
    word = f"{component}/{number}/{protocol}"
    return f"ip-{hashlib.sha256(word.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
