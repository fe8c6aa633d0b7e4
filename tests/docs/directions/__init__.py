"""What happens between the examples of the protocol's document, by the words that it has for it."""

import tests.docs.directions.jobs
import tests.docs.directions.provider  # noqa: F401 - both add their words.
from tests.docs.directions.words import KNOWN, follow

__all__ = ["KNOWN", "follow"]
