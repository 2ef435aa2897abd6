"""`broadcastctl`: what the operator of Broadcast Manager needs at a terminal."""

import click

from infra.migration.commands import export_command, migrate_command, verify_command
from infra.migration.shadow_command import shadow_command
from infra.operator.dead_letters_commands import dead_letters
from infra.operator.engine_commands import status_command, tick_command
from infra.operator.gate_commands import pause_all_command, resume_all_command
from infra.operator.history_command import history_command
from infra.operator.link_command import link_command
from infra.operator.pairs_commands import pairs
from infra.operator.restored_command import restored_command
from infra.operator.settle_command import settle_command
from infra.operator.token_command import token_command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Look after Broadcast Manager: import pairs, see what is due, in flight or broken, and why.

    Works on the same records as `make run`, also while that is running; settings come from the same places.
    Text goes to people, --json to programs. Times are in UTC.

    \b
    Examples:
      broadcastctl pairs import main_clients_database.csv --state broadcast_manager.csv
      broadcastctl status
      broadcastctl pairs list --state paused
      broadcastctl pairs resume -1002187725686
      broadcastctl history 384f41

    \b
    Exit code: 0 done; 1 not found, or some rows rejected; 2 wrong usage, setting or file.
    """


main.add_command(pairs)
main.add_command(status_command)
main.add_command(tick_command)
main.add_command(pause_all_command)
main.add_command(resume_all_command)
main.add_command(settle_command)
main.add_command(restored_command)
main.add_command(history_command)
main.add_command(token_command)
main.add_command(link_command)
main.add_command(dead_letters)
main.add_command(migrate_command)
main.add_command(verify_command)
main.add_command(export_command)
main.add_command(shadow_command)

if __name__ == "__main__":
    main()
