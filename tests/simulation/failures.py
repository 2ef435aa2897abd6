"""A seed that fails: found, shrunk to the shortest history that still fails, and told."""

from dataclasses import dataclass

from tests.simulation.promises import broken
from tests.simulation.world import World

MOST_TRIES = 150
"""Runs that shrinking one failure may cost."""


@dataclass(frozen=True)
class Result:
    """What became of a seed."""

    seed: int
    faults: tuple[str, ...]
    events: tuple[str, ...]
    """What happened from outside: faults and people's actions."""
    days: float
    messages: int
    trace: tuple[str, ...]


def try_seed(seed: int, only: frozenset[str] | None = None) -> Result:
    """Run a seed; `only` limits what happens from outside to these events. The same arguments give the same result."""
    world = World(seed, only)
    world.run()
    trace = tuple(f"{micros / 1e6:12.3f}  {what}" for micros, what in world.scheduler.trace)
    events = tuple(world.chance.happened)
    return Result(seed, tuple(broken(world)), events, world.days, len(world.telegram.accepted), trace)


def shrink(failed: Result) -> Result:
    """Leave out events, halves of them first, as long as the seed still fails."""
    best, size, tries = failed, max(1, len(failed.events) // 2), 0
    while best.events and tries < MOST_TRIES:
        shorter = None
        for begin in range(0, len(best.events), size):
            if tries == MOST_TRIES:
                break
            tries += 1
            kept = frozenset(best.events[:begin] + best.events[begin + size :])
            result = try_seed(failed.seed, kept)
            if result.faults and len(result.events) < len(best.events):
                shorter = result
                break
        if shorter is not None:
            best = shorter
            size = min(size, max(1, len(best.events) // 2))
        elif size == 1:
            break
        else:
            size = max(1, size // 2)
    return best


def told(failed: Result) -> str:
    """The failure for people: seed, promise, the shortest history found, and how to see it again."""
    shortest = shrink(failed)
    lines = [f"seed {failed.seed} fails:", *(f"  {fault}" for fault in shortest.faults)]
    lines += [f"with {len(shortest.events)} of {len(failed.events)} events from outside:"]
    lines += [f"  {event}" for event in shortest.events]
    lines += [f"replay: python -m tests.simulation --replay {failed.seed}"]
    return "\n".join(lines)
