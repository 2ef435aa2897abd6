"""Access tokens as the website makes them. They live by the machine's clock, which PyJWT reads."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from tests.functions.world import SECRET


def token(client_id: str, *, secret: str = SECRET, **claims: Any) -> str:
    """A token that is good for fifteen minutes unless the claims say otherwise; a claim of None is left out."""
    now = datetime.now(UTC)
    payload = {"sub": client_id, "type": "access", "iat": now, "nbf": now, "exp": now + timedelta(minutes=15), **claims}
    return jwt.encode({k: v for k, v in payload.items() if v is not None}, secret, algorithm="HS256")


def bearer(client_id: str, **claims: Any) -> dict[str, str]:
    """The header that carries such a token."""
    return {"Authorization": f"Bearer {token(client_id, **claims)}"}
