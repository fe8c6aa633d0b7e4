"""What `init` has to know, from options, else from who sits at the terminal."""

import base64
import os
import platform
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from app import config as configuration
from app.cli import config_check, refuse
from app.config.edit import Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One value of config.toml.

    Attributes:
        option: Its option, such as `--domain`.
        table: Where it goes, like `key`.
        text: What is asked.
        help: What the option's help says.
        default: What is proposed; a text.
        secret: Whether the answer is not shown while it is typed.
        asked: Whether it is asked for at all.
    """

    option: str
    table: str
    key: str
    text: str
    help: str
    default: Callable[[], str] = str
    secret: bool = False
    asked: bool = True

    @property
    def name(self) -> str:
        """The parameter of its option."""
        return self.option.strip("-").replace("-", "_")

    @property
    def is_list(self) -> bool:
        """Whether the key holds several values, of which this is one."""
        return (self.table, self.key) in {("WEBHOOK", "Secrets"), ("WEBHOOK", "PublicKeys")}

    def value(self, answer: str) -> Any:
        """Return what stands in config.toml.

        Raises:
            click.UsageError: It will not do.
        """
        text = answer.strip()
        value: Any = [text] if self.is_list and text else [] if self.is_list else text
        for problem in config_check.of_value(self.table, self.key, value):
            raise click.UsageError(problem)
        return value


def _redis() -> str:
    return configuration.Api().redis_url


def _lagrange() -> str:
    return configuration.Lag().server_url


def new_secret() -> str:
    """Return a key for Standard Webhooks `v1` signatures."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


QUESTIONS = (
    Question(
        option="--domain",
        table="API",
        key="Domain",
        text="Domain under which tenants get their host names (*.<domain> leads to the ingress)",
        help="The domain under which tenants get their host names.",
    ),
    Question(
        option="--multi-address",
        table="API",
        key="MultiAddress",
        text="Address from outside, /ip4/<address>/tcp/<port> or /dns4/<name>/tcp/<port>",
        help="How the provider is reached from outside: /ip4/<address>/tcp/<port>.",
    ),
    Question(
        option="--node-name",
        table="API",
        key="NodeName",
        text="Name in the market",
        help="What the market calls the provider.",
        default=platform.node,
    ),
    Question(
        option="--region",
        table="API",
        key="Region",
        text='Region, "<region>-<country code>" such as Quebec-CA',
        help='Where the provider is, such as "Quebec-CA".',
    ),
    Question(
        option="--redis-url",
        table="API",
        key="RedisUrl",
        text="Redis",
        help="Where Redis is.",
        default=_redis,
    ),
    Question(
        option="--redis-password",
        table="API",
        key="RedisPassword",
        text="Password of Redis, if it has one",
        help="Redis' password.",
        secret=True,
    ),
    Question(
        option="--server-url",
        table="LAG",
        key="ServerUrl",
        text="Lagrange",
        help="Where Lagrange is.",
        default=_lagrange,
        asked=False,
    ),
    Question(
        option="--access-token",
        table="LAG",
        key="AccessToken",
        text="Access token of Lagrange (setting → Access Tokens); empty: report nothing yet",
        help="Lagrange's access token.",
        secret=True,
    ),
    Question(
        option="--webhook-secret",
        table="WEBHOOK",
        key="Secrets",
        text="Webhook secret shared with Lagrange, whsec_…; empty: make one",
        help="The secret that Lagrange signs with, whsec_…; one is made without it.",
        secret=True,
    ),
    Question(
        option="--webhook-public-key",
        table="WEBHOOK",
        key="PublicKeys",
        text="Lagrange's public key",
        help="The key that Lagrange signs with, whpk_…, in place of a secret.",
        asked=False,
    ),
    Question(
        option="--orchestrator",
        table="HUB",
        key="OrchestratorPk",
        text="EVM address of the orchestrator, for messages of v1.1.5; empty: take none",
        help="The EVM address that signs messages of v1.1.5.",
    ),
    Question(
        option="--account",
        table="HUB",
        key="AccountAddress",
        text="This provider's account (cpAccount), for messages of v1.1.5",
        help="This provider's cpAccount, as messages of v1.1.5 begin with it.",
    ),
)


def answers(given: Mapping[str, str | None], *, ask: bool) -> Values:
    """Return what stands in config.toml beside the defaults.

    Args:
        given: What the options say, by `Question.name`.
        ask: Whether somebody is there to be asked for the rest.
    """
    found: dict[tuple[str, str], Any] = {}
    for question in QUESTIONS:
        answer = given[question.name]
        variable = configuration.variable(question.table, question.key)
        if answer is not None:
            found[question.table, question.key] = _given(question, answer)
        elif variable in os.environ:
            click.echo(f"{question.text}: ${variable} says it", err=True)
        elif ask and _is_due(question, found):
            found[question.table, question.key] = _asked(question)
    return _with_secret({where: value for where, value in found.items() if value})


def _given(question: Question, answer: str) -> Any:
    try:
        return question.value(answer)
    except click.UsageError as error:
        refuse(f"{question.option}: {error.message}")


def _asked(question: Question) -> Any:
    return click.prompt(
        question.text,
        default=question.default(),
        show_default=bool(question.default()),
        hide_input=question.secret,
        value_proc=question.value,
        err=True,
    )


def _is_due(question: Question, found: Values) -> bool:
    """An account is for who takes messages of v1.1.5."""
    if question.key == "AccountAddress":
        return bool(found.get(("HUB", "OrchestratorPk")))
    return question.asked


def _with_secret(found: dict[tuple[str, str], Any]) -> Values:
    """Make a secret where nobody else could send anything."""
    senders = (("WEBHOOK", "Secrets"), ("WEBHOOK", "PublicKeys"), ("HUB", "OrchestratorPk"))
    elsewhere = any(configuration.variable(*one) in os.environ for one in senders)
    if not elsewhere and not any(found.get(one) for one in senders):
        found["WEBHOOK", "Secrets"] = [new_secret()]
    return found
