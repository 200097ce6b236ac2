"""What one run is asked to measure."""

import argparse
from dataclasses import dataclass

NAMES = (
    *("place", "triage", "dispatch", "claim", "accept"),
    *("list", "board", "map", "search", "search-rare", "similar", "home", "home-staff"),
    *("ledger", "ledger-hot", "hold", "hold-post", "statement", "locate"),
)
ONE_BY_ONE_CLIENTS = 8
"""As many as a service serves without batching (services.chassis.commands.ALONE)."""


@dataclass(frozen=True)
class Options:
    """See `parse_options`."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    clients: int
    seconds: float
    is_quick: bool

    @property
    def half_rate_seconds(self) -> float:
        return self.seconds / 2


def parse_options(arguments: list[str]) -> Options:
    """Ends the process with a usage message when they do not fit."""
    parser = argparse.ArgumentParser(
        prog="benchmarks",
        description="Measures Linli beside the limit that its database sets. Takes about eight minutes.",
    )
    parser.add_argument("--only", action="append", choices=NAMES, metavar="NAME", help=f"one of {', '.join(NAMES)}")
    parser.add_argument(
        "--quick", action="store_true", help="two minutes: 10,000 orders, short runs, always in batches"
    )
    parser.add_argument("--million", action="store_true", help="also with 1,000,000 orders")
    parser.add_argument("--clients", type=int, default=32, help="connections of the load (default 32)")
    parser.add_argument("--seconds", type=float, help="of each measurement (default 2, quick 1)")
    asked = parser.parse_args(arguments)
    sizes = (10_000,) if asked.quick else (10_000, 100_000)
    return Options(
        names=tuple(asked.only or NAMES),
        sizes=(*sizes, 1_000_000) if asked.million else sizes,
        clients=max(1, asked.clients),
        seconds=asked.seconds or (1.0 if asked.quick else 2.0),
        is_quick=asked.quick,
    )
