"""What the figures were measured on, and what is worth knowing of it before they are compared with others."""

import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.load import percentile

PACKAGES = ("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "asyncpg", "msgspec", "pydantic", "aiohttp")
FSYNCS = 100
BLOCK = b"\0" * 8192


def facts(folder: Path) -> dict[str, Any]:
    """Of this machine, now; `folder` lies on the disk that Postgres writes to."""
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "fsync_microseconds": fsync_microseconds(folder),
        "load_average": round(os.getloadavg()[0], 2),
    }


def fsync_microseconds(folder: Path) -> dict[str, float]:
    """What it takes to write one block and have it on the disk: p50 and p99 of a hundred."""
    took: list[float] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(FSYNCS):
            begun_at = time.perf_counter()
            file.write(BLOCK)
            file.flush()
            os.fsync(file.fileno())
            took.append(1e6 * (time.perf_counter() - begun_at))
    return {f"p{percent}": round(percentile(sorted(took), percent), 1) for percent in (50, 99)}


def processor_name() -> str:
    """As the system tells it; on Linux with the model."""
    description = Path("/proc/cpuinfo")
    if description.exists():
        for line in description.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
