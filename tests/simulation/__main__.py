"""`make simulate SEEDS=n`: that many seeds on all cores, with a progress bar and a rate; ends with 1 at the first failure."""

import argparse
import multiprocessing
import os
import sys
import time

from tests.simulation.failures import shrink, told, try_seed

BAR = 30


def main() -> int:
    """0 if every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--replay", type=int, metavar="SEED", help="show the shortest failing history of one seed")
    given = parser.parse_args()
    if given.replay is not None:
        return _replay(given.replay)
    began, days, messages = time.monotonic(), 0.0, 0
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for done, result in enumerate(
            pool.imap_unordered(try_seed, range(given.first, given.first + given.seeds)), start=1
        ):
            if result.faults:
                pool.terminate()
                print(f"\n{told(result)}")
                return 1
            days, messages = days + result.days, messages + result.messages
            _progress(done, given.seeds, done / (time.monotonic() - began))
    print(f"\n{given.seeds} seeds: {days:.0f} broadcast-days, {messages} messages, every promise kept.")
    return 0


def _replay(seed: int) -> int:
    failed = try_seed(seed)
    if not failed.faults:
        print(f"seed {seed}: every promise kept.")
        return 0
    shortest = shrink(failed)
    print("\n".join((*shortest.trace, *shortest.faults)))
    return 1


def _progress(done: int, whole: int, rate: float) -> None:
    full = BAR * done // whole
    sys.stderr.write(f"\r[{'#' * full}{'.' * (BAR - full)}] {done}/{whole} seeds, {rate:.1f}/s ")
    sys.stderr.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
