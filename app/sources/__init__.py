"""Spaces as Lagrange describes them, and their files: from strangers, fetched within bounds."""

from app.sources.download import download
from app.sources.files import Files
from app.sources.space import Kind, SourceLimits, Space, SpaceFile, describe, kind

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
