"""Who is signed in on the dashboard: a session of our own, in a cookie that no script can read.

It is signed with a key derived from the website's secret, so neither the website nor the API takes it for an access token. A form
carries a token derived from the session, which another website cannot know.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from shared.access import NotSignedIn
from shared.fields import FieldError, uuid

LIFE = timedelta(hours=12)
"""A working day. Signing out ends it in the browser; once a secret is no longer accepted, all that it signed are over."""
ALGORITHM = "HS256"
ENDED = "Session expired. Please log in again."


@dataclass(frozen=True)
class Session:
    """Somebody who is signed in: as a client, as the operator of this machine, or as both."""

    id: str
    client_id: str | None
    operator: bool
    expires_at: datetime


@dataclass(frozen=True)
class Sessions:
    """Makes and reads sessions. The first secret signs; one being rotated out is still read."""

    secrets: Sequence[str]

    def sign(self, session: Session) -> str:
        """The session as a cookie's value."""
        claims = {
            "jti": session.id,
            "sub": session.client_id or "",
            "operator": session.operator,
            "exp": int(session.expires_at.timestamp()),
        }
        return jwt.encode(claims, _key(self.secrets[0], "session"), algorithm=ALGORITHM)

    def read(self, value: str, *, now: datetime) -> Session:
        """The session in a cookie's value. Raises NotSignedIn."""
        for secret in self.secrets:
            try:
                claims = self._claims(value, _key(secret, "session"))
            except jwt.PyJWTError:
                continue
            session = _session(claims)
            if session.expires_at > now:
                return session
        raise NotSignedIn(ENDED)

    def form_token(self, session: Session) -> str:
        """What the forms of this session carry."""
        return _form_token(self.secrets[0], session)

    def is_form_token(self, text: str, session: Session) -> bool:
        """Whether a form of this session carried it."""
        given = text.encode()
        return any(hmac.compare_digest(given, _form_token(secret, session).encode()) for secret in self.secrets)

    def _claims(self, value: str, key: bytes) -> dict[str, Any]:
        """The time is judged by the engine's clock, not by the library's."""
        options: Any = {"require": ["jti", "sub", "operator", "exp"], "verify_exp": False}
        return jwt.decode(value, key, algorithms=[ALGORITHM], options=options)


def _session(claims: dict[str, Any]) -> Session:
    try:
        client_id = uuid(claims["sub"], "the client's id") if claims["sub"] else None
    except FieldError:
        raise NotSignedIn(ENDED) from None
    return Session(
        id=str(claims["jti"]),
        client_id=client_id,
        operator=claims["operator"] is True,
        expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC),
    )


def _form_token(secret: str, session: Session) -> str:
    return hmac.digest(_key(secret, "form"), session.id.encode(), "sha256").hex()


def _key(secret: str, purpose: str) -> bytes:
    return hmac.digest(secret.encode(), f"broadcast-manager {purpose}".encode(), "sha256")
