"""Commands on the product's database, whether or not the product runs: DATABASE_URL, else the embedded one."""

import asyncio

from launcher.database import migrate, product_database


def migrate_database() -> None:
    """Bring it to the newest migration. Raises CannotStart."""
    with product_database() as url:
        migrate(url)


def seed_database() -> None:
    """The same, then load the demo district unless it is there. Raises CannotStart."""
    from demo.seed import load  # not in the Docker image

    with product_database() as url:
        migrate(url)
        asyncio.run(load(url))
