"""Spaces: their description by Lagrange, and their files, fetched within limits.

Everything here comes from tenants and is hostile; reading what the files say is for other rooms.
"""

from app.spaces.files import Files
from app.spaces.source.description import describe
from app.spaces.source.download import download
from app.spaces.source.space import (
    Kind,
    SourceLimits,
    Space,
    SpaceFile,
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
