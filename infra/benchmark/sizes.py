"""How much each measurement takes on: enough for figures, or just enough to see that everything works."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Numbers of pairs unless said otherwise. `peers`: whether the peers take part, which must be installed from PyPI."""

    peers: bool
    limited_pairs: int
    """Our engine's with Telegram's limits enforced."""
    free_pairs: int
    """Without a ceiling."""
    peer_pairs: int
    """The peers' with the limits enforced."""
    slow_peer_pairs: int
    """Of a peer that sends one message after the other."""
    killed_pairs: int
    kills: int
    """Of each sender that survives them."""
    presses: int
    """Of Resend, each for a pair of its own."""
    counted_pairs: int
    """Whose broadcasts are counted in store operations; at most as many as a second's pace has room for."""
    idle_pairs: tuple[int, ...]
    ticks: int
    """Beside each of those numbers of idle pairs."""
    long_run_pairs: int
    starts: int
    """Of each function."""
    simulator_pairs: int
    """With whose messages the simulated Telegram alone is tried."""


FULL = Sizes(
    peers=True,
    limited_pairs=900,
    free_pairs=1_000,
    peer_pairs=300,
    slow_peer_pairs=50,
    killed_pairs=150,
    kills=2,
    presses=100,
    counted_pairs=10,
    idle_pairs=(10, 1_000, 100_000),
    ticks=50,
    long_run_pairs=10_000,
    starts=7,
    simulator_pairs=10_000,
)
TINY = Sizes(
    peers=False,
    limited_pairs=4,
    free_pairs=10,
    peer_pairs=3,
    slow_peer_pairs=3,
    killed_pairs=10,
    kills=1,
    presses=2,
    counted_pairs=2,
    idle_pairs=(10, 100),
    ticks=2,
    long_run_pairs=20,
    starts=1,
    simulator_pairs=100,
)
