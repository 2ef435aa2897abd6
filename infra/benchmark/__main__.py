"""`make bench`: how fast, how surely and at what cost, beside the peers."""

import click

from infra.benchmark.parts import peers


@click.command()
@click.option("--pairs", type=int, default=1000)
def main(pairs: int) -> None:
    """Measure and print."""
    click.echo(peers.without_a_ceiling(pairs, lambda what: click.echo(what, err=True)).text())


if __name__ == "__main__":
    main()
