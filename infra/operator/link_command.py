"""`broadcastctl link`: a link that signs in on the dashboard of the engine on this machine, good once."""

import click

from infra.operator.options import ClientId
from infra.operator.workspace_access import Failed, Unusable, opened


@click.command("link", short_help="A link that signs in on the dashboard, good once.")
@click.option("--client", type=ClientId(), metavar="UUID", help="Sign in as this client, and as nobody else.")
@click.pass_context
def link_command(context: click.Context, client: str | None) -> None:
    """Print a link that signs in on the dashboard of the engine running here; it is good once, for an hour.

    Without --client it is the machine's owner's: the operator's page, and every client from there.

    \b
    Example:
      broadcastctl link --client 8dcdf36a-dbde-52a4-a034-ed11820e0506
    """
    # Imported late: `--help` and Google Cloud need no engine on this machine.
    from infra.embedded.sign_in_links import Grant, SignInLinks
    from infra.embedded.workspace import Workspace, link_for_owner

    with opened(context) as workspace:
        if not isinstance(workspace, Workspace):
            raise Unusable("on Google Cloud the website signs its clients in; links are for an engine on one machine")
        holder = workspace.holder
        if holder is None:
            raise Failed(f"no service is running on DATA_DIR ({workspace.describe}); start it with make run")
        links, now = SignInLinks(workspace.database), workspace.clock.now()
        if client is not None and not workspace.store.pairs_of_client(client):
            raise Failed(f"client {client} has no pair here")
        code = link_for_owner(workspace) if client is None else links.make(Grant(client, operator=False), now=now)
    click.echo(f"{holder.url}/sign-in/{code}")
