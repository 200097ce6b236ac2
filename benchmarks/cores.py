"""Which core does what: Python on one, Postgres and the load on another, so that figures say what one core serves."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Cores:
    """None where a process cannot, or need not, be bound to a core."""

    python: int | None = None
    postgres: int | None = None
    load: int | None = None

    @classmethod
    def of_this_machine(cls) -> "Cores":
        """Three different cores if there are, else the load shares the core of Postgres; one core binds nothing."""
        if not hasattr(os, "sched_setaffinity"):
            return cls()
        usable = sorted(os.sched_getaffinity(0))
        if len(usable) < 2:
            return cls()
        return cls(usable[0], usable[1], usable[2] if len(usable) > 2 else usable[1])

    def __str__(self) -> str:
        if self.python is None:
            return "nothing is bound to a core here"
        shared = "Postgres and the load" if self.load == self.postgres else f"Postgres, core {self.load} the load"
        return f"core {self.python} serves Python (and pgbench), core {self.postgres} {shared}"


@contextmanager
def pinned_to(core: int | None) -> Iterator[None]:
    """What is started inside runs on this core, and so does the calling thread meanwhile."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
