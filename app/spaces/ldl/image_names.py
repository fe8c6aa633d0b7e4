"""Image references: registry, name, tag and digest."""

import re

from app.spaces.ldl.diagnostics import quote

MAX_IMAGE = 512

_DOMAIN = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:{_DOMAIN}/)?{_PART}(?:/{_PART})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,128})?"
)


def reference(written: str) -> str:
    """An image reference (`registry/name:tag@sha256:…`), stripped of surrounding spaces.

    Raises:
        ValueError: It is not a valid reference; the message says why.
    """
    image = written.strip()
    if len(image) > MAX_IMAGE:
        raise ValueError(f"must be at most {MAX_IMAGE} characters long")
    if any(character.isspace() for character in image):
        raise ValueError(f"must be a single image name without spaces, not {quote(image)}")
    if "://" in image:
        raise ValueError(f"must be an image name, not a URL: {quote(image)}")
    if _REFERENCE.fullmatch(image):
        return image
    if _REFERENCE.fullmatch(image.lower()):
        raise ValueError(f"must be in lower case up to the tag: {quote(image)}")
    raise ValueError(f"is not an image name: {quote(image)}")
