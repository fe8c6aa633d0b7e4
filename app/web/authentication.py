"""Authentication of senders: Standard Webhooks, and v1.1.5's orchestrator (EIP-191)."""

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import NoReturn

import structlog

from app.config import Config
from app.config.identity import Identity
from app.errors import ConfigError, Rejected
from app.net import signatures

log = structlog.get_logger()


class Authentication:
    """Checks signatures; whatever is wrong with one, the sender gets the same 401."""

    def __init__(self, config: Config, identity: Identity) -> None:
        """Read the keys.

        Raises:
            ConfigError: A key is malformed.
        """
        try:
            self._keys = signatures.parse_keys(config.webhook.secrets, config.webhook.public_keys)
        except signatures.InvalidKeyError as error:
            raise ConfigError(f"[WEBHOOK] {error}") from None
        self._tolerance_seconds = config.webhook.tolerance_seconds
        self._orchestrator = config.hub.orchestrator_pk.lower()
        self._prefix = config.hub.account_address + identity.node_id
        self.max_body_bytes = config.webhook.max_body_bytes

    def webhook(self, headers: Mapping[str, str], body: bytes) -> signatures.Message:
        """Return the message that a Standard Webhooks signature vouches for.

        Raises:
            Rejected: 401.
        """
        try:
            return signatures.verify(
                headers,
                body,
                self._keys,
                now=time.time(),
                tolerance_seconds=self._tolerance_seconds,
            )
        except signatures.InvalidSignatureError as error:
            refuse(str(error))

    def orchestrator(self, subject: str, signature: str) -> str:
        """Return an id of `<cpAccount><nodeId><subject>`, which the orchestrator must have signed.

        Raises:
            Rejected: 401.
        """
        if not self._orchestrator:
            refuse("[HUB] OrchestratorPk is not set, so that nobody may sign with EIP-191")
        message = self._prefix + subject
        try:
            signer = signatures.signer(message, signature)
        except signatures.InvalidSignatureError as error:
            refuse(str(error))
        if signer != self._orchestrator:
            refuse("signed by another key than [HUB] OrchestratorPk")
        return f"eip191:{signatures.personal_digest(message).hex()}"


def refuse(why: str) -> NoReturn:
    """Refuse a request without a valid signature; `why` is for the operator alone.

    Raises:
        Rejected: 401.
    """
    log.warning("signature refused", why=why)
    raise Rejected(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "sign the request: Standard Webhooks headers over the raw body with a key that the provider"
        " knows, within its time tolerance (for v1.1.5 messages also EIP-191 by the orchestrator)",
    ) from None
