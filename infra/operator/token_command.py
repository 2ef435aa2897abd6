"""`broadcastctl token`: an access token like the website's, for trying the API."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import click
import jwt

from infra.operator.options import ClientId
from infra.operator.text import counted
from infra.operator.workspace_access import Unusable, opened
from shared.access import SHORTEST_SECRET
from shared.settings import JWT_AUDIENCE, JWT_ISSUER, Settings

LONGEST_MINUTES = 24 * 60


@click.command("token", short_help="An access token, for trying the API.")
@click.option("--client", type=ClientId(), metavar="UUID", required=True, help="The client the token speaks for.")
@click.option(
    "--minutes", type=click.IntRange(1, LONGEST_MINUTES), default=15, show_default=True, help="How long it is valid."
)
@click.pass_context
def token_command(context: click.Context, client: str, minutes: int) -> None:
    """Print an access token for trying the API. Whoever has it acts as this client; nothing else goes to stdout.

    \b
    Example:
      TOKEN=$(broadcastctl token --client 8dcdf36a-dbde-52a4-a034-ed11820e0506)
      curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8080/api/channels
    """
    with opened(context) as workspace:
        secret = workspace.jwt_secret.strip()
        if not secret:
            raise Unusable("JWT_SECRET_KEY is not set; the website and the API share this secret")
        claims = access_claims(client, now=workspace.clock.now(), valid=timedelta(minutes=minutes))
        claims |= _demanded(workspace.settings)
        owned = len(workspace.store.pairs_of_client(client))
    if len(secret.encode()) < SHORTEST_SECRET:
        click.echo(f"JWT_SECRET_KEY is shorter than {SHORTEST_SECRET} bytes; choose a longer one.", err=True)
    click.echo(f"Valid for {minutes} min; client {client} has {counted(owned, 'pair')}.", err=True)
    click.echo(jwt.encode(claims, secret, algorithm="HS256"))


def access_claims(client: str, *, now: datetime, valid: timedelta) -> dict[str, Any]:
    """The claims of the website's access tokens."""
    return {
        "sub": client,
        "type": "access",
        "fresh": False,
        "iat": int(now.timestamp()),
        "nbf": int(now.timestamp()),
        "exp": int((now + valid).timestamp()),
        "jti": str(uuid4()),
    }


def _demanded(settings: Settings) -> dict[str, str]:
    wanted = {"aud": settings.get(JWT_AUDIENCE), "iss": settings.get(JWT_ISSUER)}
    return {name: value for name, value in wanted.items() if value}
