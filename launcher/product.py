"""What `run` and `separate` share: everything that has to be there before the first request can be answered."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg

from demo.personas import PERSONAS, WECHAT_APP_ID
from demo.places import TENANT_ID
from demo.seed import load
from demo.wechat import WECHAT_APP_SECRET
from launcher.database import migrate, product_database
from launcher.demo_secrets import demo_secrets
from launcher.fake_wechat import fake_wechat
from launcher.folders import data_folder
from launcher.instance import DEFAULT_PORT, only_instance, port_from_environment, reserved_port
from launcher.serving import ignore_stop_signals
from launcher.terminal import CannotStart, say, table
from services.chassis.database import driver_url


@dataclass(frozen=True)
class Product:
    """A product ready to be served."""

    data: Path
    socket: socket.socket
    """Bound to HOST and PORT; does not listen yet."""
    url: str
    environment: dict[str, str]
    """What its processes need to know, beyond where they listen and where the others are."""
    has_demo_people: bool
    """Whether one can sign in as the people of the demo district."""


@contextmanager
def prepared_product() -> Iterator[Product]:
    """The demo product: this data folder's only one, its port held, its database migrated and filled.

    Says what it does. Raises CannotStart. On leaving, which nothing can interrupt, it stops what it started.
    """
    _refuse_what_is_no_demo()
    host, port = os.environ.get("HOST") or "127.0.0.1", port_from_environment()
    url, data = f"http://{_reachable(host)}:{port}", data_folder()
    with (
        only_instance(data, url=url) as instance,
        reserved_port(host, port) as reserved,
        fake_wechat() as wechat_url,
    ):
        instance.note(wechat_url=wechat_url)
        with product_database() as database_url:
            try:
                say("Migrating")
                migrate(database_url)
                has_demo_people = load_demo_people(database_url)
                environment = _demo_environment(data, database_url, wechat_url)
                environment |= {"LINLI_DEMO_SIGN_IN": str(int(has_demo_people)), "HOST": host, "PORT": str(port)}
                yield Product(data, reserved, url, environment, has_demo_people)
            finally:
                ignore_stop_signals()


def load_demo_people(database_url: str) -> bool:
    """Load the demo district, whose password is published, where no other district is; whether it is there now.

    Beside other districts it is loaded only if LINLI_MODE=demo says so.
    """
    districts = asyncio.run(_districts(database_url))
    if districts and TENANT_ID not in districts and os.environ.get("LINLI_MODE") != "demo":
        say(
            f"Here is another district already ({', '.join(sorted(districts.values()))}): the demo is not loaded beside"
        )
        say("it, because the password of its people is published. LINLI_MODE=demo make run loads it all the same.")
        return False
    asyncio.run(load(database_url))
    return TENANT_ID in asyncio.run(_districts(database_url))


def introduce(product: Product) -> None:
    """Tell the person at the terminal where the product is, whom to sign in as, and what to try next."""
    url = product.url
    say(f"\nLinli is ready on {url} (documentation: {url}/docs)\n")
    if not product.has_demo_people:
        say("Stop with Ctrl-C.")
        return
    people = [(person.key, person.name, person.role_label, person.area_label) for person in PERSONAS]
    say(table(("persona", "name", "role", "area"), people))
    say(f'\nSign in as one of them:  POST {url}/v1/sign-in/demo  {{"persona": "{PERSONAS[0].key}"}}')
    say(f"Next, in another terminal:  {_with_port(url)}make demo        Stop with Ctrl-C.")


def _refuse_what_is_no_demo() -> None:
    mode = os.environ.get("LINLI_MODE")
    if mode == "production":
        raise CannotStart("This starts the demo; in production start the processes one by one: see compose.yaml.")
    if os.environ.get("DATABASE_URL") and mode != "demo":
        raise CannotStart(
            "This starts the demo, with people whose password is published, and DATABASE_URL names a database of yours."
            " If it is there for the demo, say so: LINLI_MODE=demo. For a district of your own see found-district and"
            " compose.yaml."
        )


async def _districts(database_url: str) -> dict[UUID, str]:
    """The codes of the districts that are there, by their ids."""
    connection = await asyncpg.connect(driver_url(database_url))
    try:
        return {row["id"]: row["code"] for row in await connection.fetch("SELECT id, code FROM tenants")}
    finally:
        await connection.close()


def _demo_environment(data: Path, database_url: str, wechat_url: str) -> dict[str, str]:
    return {
        "LINLI_MODE": "demo",
        "DATABASE_URL": database_url,
        "LINLI_FILES_FOLDER": str(data / "files"),
        "LINLI_WECHAT_BASE_URL": wechat_url,
        "LINLI_WECHAT_APP_ID": WECHAT_APP_ID,
        "LINLI_WECHAT_APP_SECRET": WECHAT_APP_SECRET,
        **demo_secrets(data),
    }


def _with_port(url: str) -> str:
    port = urlsplit(url).port
    return "" if port == DEFAULT_PORT else f"PORT={port} "


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
