"""Where things are: the project, and the data of the product that runs from it."""

import os
from pathlib import Path

from launcher.accounts import make_folder

PROJECT = Path(__file__).resolve().parents[1]


def data_path() -> Path:
    """LINLI_DATA_FOLDER, else `.linli` in the project; it may not exist."""
    return Path(os.environ.get("LINLI_DATA_FOLDER") or PROJECT / ".linli").absolute()


def data_folder() -> Path:
    """The same, made if need be.

    Others may pass through it only when root made it, because root's Postgres runs as somebody else.
    """
    folder = data_path()
    make_folder(folder, 0o711 if os.geteuid() == 0 else 0o700)
    return folder
