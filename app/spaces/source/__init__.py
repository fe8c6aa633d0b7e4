"""Spaces as Lagrange describes them, and their files: from strangers, fetched within bounds."""

from app.spaces.source.download import download
from app.spaces.source.files import Files
from app.spaces.source.space import (
    Kind,
    SourceLimits,
    Space,
    SpaceFile,
    describe,
    kind,
)

__all__ = [
    "Files",
    "Kind",
    "SourceLimits",
    "Space",
    "SpaceFile",
    "describe",
    "download",
    "kind",
]
