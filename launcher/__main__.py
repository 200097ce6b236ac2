"""`python -m launcher COMMAND …`: what run.py becomes once the environment is installed."""

import sys
from dataclasses import dataclass
from importlib import import_module

from launcher.serving import stop_by_keyboard_interrupt
from launcher.terminal import CannotStart, say


@dataclass(frozen=True)
class Command:
    """A function that does the work and may return an exit code. Its module is imported only when it is wanted."""

    module: str
    function: str
    takes_arguments: bool = False

    def __call__(self, arguments: list[str]) -> int:
        if arguments and not self.takes_arguments:
            raise CannotStart(f"This command takes no arguments, and got: {' '.join(arguments)}")
        work = getattr(import_module(f"launcher.{self.module}"), self.function)
        return int((work(arguments) if self.takes_arguments else work()) or 0)


COMMANDS = {
    "run": Command("one_process", "run"),
    "separate": Command("separate", "separate"),
    "serve": Command("single", "serve_one", takes_arguments=True),
    "migrate": Command("maintenance", "migrate_database"),
    "seed": Command("maintenance", "seed_database"),
    "demo": Command("story", "tell_story"),
    "found-district": Command("founding", "found_district", takes_arguments=True),
    "verify-ledger": Command("ledger", "verify_ledger", takes_arguments=True),
    "import-ledger": Command("ledger", "import_ledger", takes_arguments=True),
    "test": Command("development", "test", takes_arguments=True),
    "lint": Command("checks", "lint"),
    "bench": Command("development", "bench", takes_arguments=True),
    "openapi": Command("development", "openapi", takes_arguments=True),
    "migration": Command("development", "new_migration", takes_arguments=True),
    "lifecycle": Command("pictures", "draw_lifecycle"),
    "lock": Command("development", "lock"),
}


def main(name: str, arguments: list[str]) -> int:
    """Run one command; return the exit code. Being stopped by a signal is a good end."""
    stop_by_keyboard_interrupt()
    try:
        return COMMANDS[name](arguments)
    except KeyboardInterrupt:
        say("Stopped.")
        return 0
    except CannotStart as error:
        return _complain(str(error))
    except PermissionError as error:
        return _complain(f"No permission for {error.filename}." if error.filename else str(error))


def _complain(sentence: str) -> int:
    print(sentence, file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(f"Say one of: {', '.join(COMMANDS)}.")
    sys.exit(main(sys.argv[1], sys.argv[2:]))
