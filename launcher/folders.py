"""Where things are: the project, and the data of the product that runs from it."""

import os
from pathlib import Path

from launcher.accounts import make_folder, short_runtime_folder

PROJECT = Path(__file__).resolve().parents[1]


def data_folder() -> Path:
    """LINLI_DATA_FOLDER, else `.linli` in the project; made if need be.

    Others may pass through it only when root made it, because root's Postgres runs as somebody else.
    """
    folder = Path(os.environ.get("LINLI_DATA_FOLDER") or PROJECT / ".linli").absolute()
    make_folder(folder, 0o711 if os.geteuid() == 0 else 0o700)
    return folder


def socket_folder(data: Path) -> Path:
    """A folder with a short path for the sockets of our own processes, which only we may enter; made if need be."""
    folder = short_runtime_folder(None, data)
    make_folder(folder, 0o700)
    return folder
