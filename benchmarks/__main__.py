"""`python -m benchmarks`: how fast Linli is on this machine, beside the limit that its database sets."""

import json
import sys
import tempfile
from dataclasses import asdict
from typing import Any
from uuid import uuid4

import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from benchmarks.cores import Cores, pinned_to
from benchmarks.limit import LimitDidNothing
from benchmarks.machine import facts
from benchmarks.measuring import Run
from benchmarks.options import parse_options
from benchmarks.postgres import benchmark_postgres
from benchmarks.report import as_text, write_json
from benchmarks.servers import ServerNotReady
from launcher.serving import stop_by_keyboard_interrupt
from launcher.terminal import CannotStart, say
from services.chassis import clock

BUSY = 0.5
"""With a load average above this, others are at work on the machine."""


def main(arguments: list[str]) -> int:
    """Measure, print tables, write a JSON file; return the exit code: 0 only for a run without errors."""
    options, cores, moment = parse_options(arguments), Cores.of_this_machine(), clock.now()
    with benchmark_postgres(core=cores.postgres) as postgres, tempfile.TemporaryDirectory() as files:
        machine = facts(postgres.folder)
        _introduce(machine, cores)
        signing_key = _signing_key()
        run = Run(options, postgres, cores, _environment(signing_key, files), say)
        with pinned_to(cores.load):
            figures = uvloop.run(run.measure(signing_key))
        machine["load_average_at_the_end"] = facts(postgres.folder)["load_average"]
    say("\n" + as_text(figures))
    setting = {"machine": machine, "options": asdict(options), "cores": asdict(cores)}
    say(f"\nWritten to {write_json(figures, setting, moment)}")
    return 0 if figures.are_valid else 1


def _introduce(machine: dict[str, Any], cores: Cores) -> None:
    say(f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}")
    say(f"Cores: {cores}. fsync takes {machine['fsync_microseconds']['p50']:.0f} µs.")
    if machine["load_average"] > BUSY:
        say(f"Others are at work here (load average {machine['load_average']}): the rates will be noisy.")


def _signing_key() -> dict[str, Any]:
    return {**json.loads(OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate())), "kid": "benchmarks"}


def _environment(signing_key: dict[str, Any], files: str) -> dict[str, str]:
    """Of every process that is measured; mode test, because nothing here is a secret that production would take."""
    return {
        "LINLI_MODE": "test",
        "LINLI_SIGNING_KEYS": json.dumps([signing_key]),
        "LINLI_REFRESH_SECRET": uuid4().hex,
        "LINLI_FILES_FOLDER": files,
    }


if __name__ == "__main__":
    stop_by_keyboard_interrupt()
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("Stopped.")
    except (CannotStart, ServerNotReady, LimitDidNothing) as error:
        sys.exit(str(error))
