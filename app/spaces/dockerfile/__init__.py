"""Parser for a Space's Dockerfile: the port that its image exposes, found without building it.

Everything here is pure and total: `read` returns a result for any bytes. Only instructions that
bear on the port or on URLs are evaluated; errors in the others are for the builder to report.
"""

from app.spaces.dockerfile.parse import MAX_BYTES, MAX_IMAGES, Dockerfile, read

__all__ = ["MAX_BYTES", "MAX_IMAGES", "Dockerfile", "read"]
