"""Whether books are sound in every respect: what a test may ask when all is over."""

import asyncio
from datetime import date, timedelta
from uuid import UUID

from models.identity import Role
from models.points import Asset
from services.chassis import clock
from services.chassis.database import Database
from services.chassis.identity import AreaGrant, Identity
from services.chassis.schemas import new_id
from services.chassis.snapshots import Snapshots
from services.points.proof.sealing import seal_due
from services.points.proof.verification import verify
from services.points.reports.liability import liability
from tests.world import World

BEGINNING, END = date(2000, 1, 1), date(2200, 12, 31)
TRIES = 250


async def complaints_about_books(database: Database, world: World) -> list[str]:
    """A sentence for everything that is wrong in the books of a district; an empty list is a sound one.

    First everything is sealed. Then the chain is walked from its beginning, every invariant is asked for (`verify`),
    and the liability report of each asset adds up, over all the time there is. Nobody posts meanwhile.
    """
    complaints = [] if await _sealed(database, world.tenant_id) else ["Something still waits to be sealed."]
    async with Snapshots(database).of(world.tenant_id) as connection:
        outcome = await verify(connection, world.tenant_id)
        complaints += [found.sentence(english=True) for found in outcome.found if found.code != "import_unfinished"]
        for asset in Asset:
            report = await liability(
                connection, _auditor(world), asset=asset, from_day=BEGINNING, to_day=END, community_id=None
            )
            if not (report.adds_up and report.ties_to_entries):
                complaints.append(f"The liability report of {asset} does not add up.")
    return complaints


async def _sealed(database: Database, tenant_id: UUID) -> bool:
    """Whether all is sealed; a worker of the service may be about it, too."""
    for _ in range(TRIES):
        await seal_due(database, tenant_id)
        async with database.hot_transaction(tenant_id) as connection:
            if not await connection.fetchval(_WAITS, tenant_id):
                return True
        await asyncio.sleep(0.02)
    return False


def _auditor(world: World) -> Identity:
    grant = AreaGrant(Role.DISTRICT_ADMIN, world.areas["district"], clock.now() - timedelta(days=1), None)
    return Identity(
        account_id=new_id(), tenant_id=world.tenant_id, session_id=new_id(), name="", resident_id=None, grants=(grant,)
    )


_WAITS = "SELECT EXISTS (SELECT FROM ledger_unsealed u WHERE u.tenant_id = $1)"
