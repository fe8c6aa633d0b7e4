"""What happens between the examples of the protocol's document, by the words that it has for it."""

import tests.directions.jobs
import tests.directions.provider  # noqa: F401 - both add their words.
from tests.directions.words import KNOWN, follow

__all__ = ["KNOWN", "follow"]
