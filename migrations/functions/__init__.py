"""SQL functions, one file each and version. A changed function is a new file and a new migration; old files stay."""

from pathlib import Path

from alembic import op


def create_function(name: str) -> None:
    """Runs the CREATE FUNCTION statement of `name`, e.g. "order_place_v1", as it stands."""
    op.get_bind().exec_driver_sql(function_source(name))


def function_source(name: str) -> str:
    return (Path(__file__).parent / f"{name}.sql").read_text("utf-8")
