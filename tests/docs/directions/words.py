"""The words for what happens, and what they mean."""

from collections.abc import Callable

from tests.docs.examples import Direction
from tests.docs.story import Story

Follow = Callable[[Story], None]
KNOWN: dict[str, Follow] = {}


def follow(story: Story, direction: Direction) -> None:
    """Let happen what a direction says, at its time."""
    story.pass_time(direction)
    KNOWN[direction.words](story)


def means(words: str) -> Callable[[Follow], Follow]:
    """Have a function do what these words of the document say."""

    def known(function: Follow) -> Follow:
        KNOWN[words] = function
        return function

    return known
