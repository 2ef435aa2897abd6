"""Who is asking: the website's JWTs.

HS256 only; `sub` (the client's id) and `exp` are required, and `type` must be `access`, so that the website's refresh tokens, which
live a month, do not work here. Two secrets are accepted while one is being rotated.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
from jwt.warnings import InsecureKeyLengthWarning

from shared.settings import JWT_AUDIENCE, JWT_ISSUER, JWT_SECRET_KEY, JWT_SECRET_KEY_PREVIOUS, Settings

LEEWAY = timedelta(seconds=10)
SHORTEST_SECRET = 32
"""Bytes; RFC 7518 section 3.2 asks for a key at least as long as the hash."""

# A short secret is said once, at the start; PyJWT would say it at every request.
warnings.filterwarnings("ignore", category=InsecureKeyLengthWarning)


class NotSignedIn(Exception):
    """Raised when a request does not say who is asking; the text is for the caller."""


@dataclass(frozen=True)
class Verifier:
    """What a token must satisfy. `audience` and `issuer` are demanded only where they are given."""

    secrets: Sequence[str]
    audience: str = ""
    issuer: str = ""

    def client_of(self, headers: Mapping[str, str]) -> str:
        """The id of the client whose access token the request carries. Raises NotSignedIn."""
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.casefold() != "bearer" or not token.strip():
            raise NotSignedIn("Sign in first: the request carries no access token.")
        return self.client_in(token.strip())

    def client_in(self, token: str) -> str:
        """The id of the client this access token speaks for. Raises NotSignedIn."""
        claims = self._claims(token)
        if claims.get("type") != "access":
            raise NotSignedIn("This is not an access token.")
        try:
            return str(UUID(claims["sub"]))
        except ValueError:
            raise NotSignedIn("The access token names no client.") from None

    def _claims(self, token: str) -> dict[str, Any]:
        refused = "The access token is not valid."
        for secret in self.secrets:
            try:
                return self._decode(token, secret.strip())
            except jwt.ExpiredSignatureError:
                refused = "The session has expired; sign in again."
            except jwt.PyJWTError:
                continue
        raise NotSignedIn(refused)

    def _decode(self, token: str, secret: str) -> dict[str, Any]:
        return jwt.decode(
            token,
            secret,
            algorithms=["HS256"],
            audience=self.audience or None,
            issuer=self.issuer or None,
            leeway=LEEWAY,
            options={
                "require": ["exp", "sub"],
                "verify_aud": bool(self.audience),
                "verify_iss": bool(self.issuer),
            },
        )


def verifier_of(settings: Settings) -> Verifier:
    """What tokens must satisfy by these settings; both secrets count while one is being rotated."""
    return Verifier(
        secrets=secrets_of(settings),
        audience=settings.get(JWT_AUDIENCE),
        issuer=settings.get(JWT_ISSUER),
    )


def secrets_of(settings: Settings) -> Sequence[str]:
    """The secret in force first, then the one before it if it is still accepted."""
    found = (settings.get(JWT_SECRET_KEY), settings.get(JWT_SECRET_KEY_PREVIOUS))
    return [secret.strip() for secret in found if secret]
