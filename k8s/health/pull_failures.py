"""Reasons for a failed image pull, in our own words.

A container runtime names addresses and tells closed ports, TLS and certificates apart: to a
workload's owner that would be a scanner of the operator's network. Everything that says how a
registry could not be reached is one sentence here.
"""

import re

from k8s.api.objects import Waiting

BACKING_OFF = frozenset(
    {
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
FIRST = "ErrImagePull"

_UNREACHABLE = "the registry cannot be reached"
_BY_REASON = {
    "InvalidImageName": "the name is not valid: it has to be in lower case up to the tag",
    "ErrImageNeverPull": "the node does not have it, and may not pull it",
    "ImageInspectError": "the node's copy is damaged",
    "RegistryUnavailable": _UNREACHABLE,
    "SignatureValidationFailed": "its signature is not valid",
}
_QUOTED = re.compile(r'"[^"]*"')
_NETWORK = (
    r"dial|lookup|no such host|no route|unreachable|connection|timed? ?out|deadline|\beof\b"
    r"|i/o|x509|tls|certificate|http response|50[0-9] "
)
# In this order: a registry that hides private images says of them that they may not exist.
_BY_TEXT = tuple(
    (re.compile(pattern, re.IGNORECASE), sentence)
    for pattern, sentence in (
        (
            r"pull access denied|insufficient_scope|may require",
            "the registry has no such public image: it does not exist, or needs a password",
        ),
        (r"toomanyrequests|too many requests|rate limit", "the registry limits pulls for now"),
        (r"unauthori[sz]ed|authentication required|forbidden|denied", "it needs a password"),
        (r"no space left|disk quota|too large|exceeds", "it is too large for the node's disk"),
        (r"no match for platform|no matching manifest", "it has no variant for the node's CPU"),
        (_NETWORK, _UNREACHABLE),
        (
            r"not found|manifest unknown|name unknown",
            "not found: the registry has no such image or tag",
        ),
        (r"invalid reference|parse image name", _BY_REASON["InvalidImageName"]),
    )
)
_OTHER = "the node reports a failure of its own; ask the provider's operator"


def describe(waiting: Waiting) -> str:
    """Return the reason why a container's image cannot be pulled."""
    if sentence := _BY_REASON.get(waiting.reason):
        return sentence
    text = _QUOTED.sub("", waiting.message)
    return next((sentence for pattern, sentence in _BY_TEXT if pattern.search(text)), _OTHER)
