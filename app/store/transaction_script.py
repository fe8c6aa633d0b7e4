"""The one Lua script that changes tasks, and the errors that its answers stand for."""

from collections.abc import Sequence
from typing import Any

from app.store import decode
from app.store.records import Receipt

SCRIPT = """
local function carry_out(plan)
  local checks, commands = unpack(cmsgpack.unpack(plan))
  for index, check in ipairs(checks) do
    local operator, expected, command = unpack(check)
    local actual = redis.call(unpack(command))
    local holds
    if operator == 'absent' then holds = not actual
    elseif operator == 'equal' then holds = actual == expected
    elseif operator == 'unless' then holds = not actual or actual == expected
    else holds = actual < expected end
    if not holds then return {index, actual} end
  end
  for _, command in ipairs(commands) do redis.call(unpack(command)) end
  return {0}
end
local answers = {}
for index, plan in ipairs(ARGV) do answers[index] = carry_out(plan) end
return answers
"""
# What frees memory is carried out while Redis is at its limit.
RELEASING_SCRIPT = f"#!lua flags=allow-oom\n{SCRIPT}"


class Conflict(Exception):
    """The change was decided upon outdated values: read again, decide again."""


class Full(Exception):
    """There are as many active tasks as the operator allows."""


class RedisFull(Exception):
    """Redis has too little memory left to take on more."""


class Replayed(Exception):
    """The event was accepted before; `receipt` says what it was then."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__(receipt.task_id)
        self.receipt = receipt


class Bound(Exception):
    """The event's idempotency key was refused before with other content."""


def outcome(answer: Sequence[Any], meaning: tuple[type[Exception], ...]) -> None:
    """Raise the error that the script's answer stands for; return if everything was written.

    Raises:
        Bound, Conflict, Full, RedisFull, Replayed: Nothing was written.
    """
    index = int(answer[0])
    if index == 0:
        return
    error = meaning[index - 1]
    if error is Replayed:
        earlier = decode.receipt(answer[1])
        raise Replayed(earlier) if isinstance(earlier, Receipt) else Bound
    raise error
