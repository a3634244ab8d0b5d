"""How late an event loop answered its watch, as the metrics page tells it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

_BUCKET = re.compile(r'^grillon_loop_wait_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Waits:
    """Counts by upper edge in seconds, each of its own bucket alone."""

    counts: dict[float, float]

    @classmethod
    def of(cls, page: str) -> Self:
        """Read the page."""
        sums = [(0.0, 0.0), *((float(edge), float(count)) for edge, count in _BUCKET.findall(page))]
        return cls({edge: count - before for (_, before), (edge, count) in pairwise(sums)})

    def since(self, earlier: Waits) -> Waits:
        """What came after `earlier`."""
        return Waits({edge: count - earlier.counts[edge] for edge, count in self.counts.items()})

    def weighted(self, share: float) -> float:
        """Seconds: `share` of the time that the loop was late, it was no later than that. Buckets are 25 % wide."""
        edges = [0.0, *(edge for edge in self.counts if edge != float("inf"))]
        middles = {upper: (lower + upper) / 2 for lower, upper in pairwise(edges)} | {float("inf"): 2 * edges[-1]}
        spent = {edge: count * middles[edge] for edge, count in self.counts.items()}
        left = share * sum(spent.values())
        for edge, seconds in spent.items():
            left -= seconds
            if left <= 0:
                return middles[edge]
        return 0.0
