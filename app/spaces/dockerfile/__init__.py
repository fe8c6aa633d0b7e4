"""What a Space's Dockerfile says of the service that it builds: its port, without building it.

Pure and total: whatever the bytes are, `read` answers; what the rest is worth, the builder says.
"""

from app.spaces.dockerfile.parse import Dockerfile, read

__all__ = ["Dockerfile", "read"]
