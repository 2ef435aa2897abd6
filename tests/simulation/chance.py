"""Decisions from a seed. Each has a key of its own, so that leaving one event out leaves the others as they were."""

from hashlib import blake2b

Options = tuple[tuple[float, str], ...]
INTENSITIES = (0.0, 0.3, 1.0, 3.0)
"""How often things go wrong, by seed; a quarter of the seeds see no fault at all, only people and time."""


class Chance:
    """`only` limits what happens from outside to these events: for shrinking, and for replaying a shrunk history."""

    def __init__(self, seed: int, only: frozenset[str] | None = None) -> None:
        self.seed = seed
        self.only = only
        self.quiet = False
        """True once faults have come to their end."""
        self.happened: list[str] = []
        self.intensity = INTENSITIES[self.below("intensity", len(INTENSITIES))]

    def unit(self, key: str) -> float:
        """A number from 0 up to 1, the same each time for this seed and key."""
        digest = blake2b(f"{self.seed}|{key}".encode(), digest_size=7).digest()
        return int.from_bytes(digest, "big") / 2**56

    def below(self, key: str, end: int) -> int:
        """A whole number from 0 up to `end`, which is not reached."""
        return int(self.unit(key) * end)

    def fault(self, key: str, options: Options) -> str | None:
        """One of these faults, or none."""
        drawn = self.unit(f"fault {key}")
        for probability, name in options:
            drawn -= probability * self.intensity
            if drawn < 0:
                return name if self.allowed(f"{key}: {name}") else None
        return None

    def allowed(self, event: str) -> bool:
        """Whether this event is to happen; noted if so."""
        if self.quiet or (self.only is not None and event not in self.only):
            return False
        self.happened.append(event)
        return True
