"""The pairs' owner, as the engines know him: whose pairs they are, and how he shows who he is."""

from datetime import UTC, datetime, timedelta

import jwt

CLIENT = "8dcdf36a-dbde-52a4-a034-ed11820e0506"
SECRET = "the-secret-of-a-benchmark-that-is-over-soon"
"""JWT_SECRET_KEY of every engine that is measured."""
GOOD_FOR = timedelta(days=1)


def authorization() -> dict[str, str]:
    """The header of a request of his."""
    token = jwt.encode(
        {"sub": CLIENT, "type": "access", "exp": datetime.now(UTC) + GOOD_FOR}, SECRET, algorithm="HS256"
    )
    return {"Authorization": f"Bearer {token}"}
