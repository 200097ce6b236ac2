"""Commands on the product's database, whether or not the product runs: DATABASE_URL, else the embedded one."""

from launcher.database import migrate, product_database
from launcher.folders import data_folder


def migrate_database() -> None:
    """Bring it to the newest migration. Raises CannotStart."""
    with product_database(data_folder()) as url:
        migrate(url)


def seed_database() -> None:
    """The same, then load the demo district unless it is there. Raises CannotStart."""
    from launcher.demo_district import fill

    with product_database(data_folder()) as url:
        migrate(url)
        fill(url)
