"""The points service: the ledger of volunteer points, and what earns them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.chassis.application import create_service, running
from services.chassis.settings import Settings
from services.chassis.snapshots import Snapshots
from services.points.accounts import endpoints as accounts
from services.points.book_rules import endpoints as book_rules
from services.points.earning.anomalies import endpoints as anomalies
from services.points.earning.certifications import endpoints as certifications
from services.points.earning.proposals import endpoints as proposals
from services.points.earning.rules import endpoints as earning_rules
from services.points.holds import endpoints as holds
from services.points.ledger import endpoints as ledger
from services.points.ledger.keeping import BookKeeper, expire_holds, expire_lots
from services.points.ledger.posting import LedgerCommands
from services.points.proof import endpoints as proof
from services.points.proof.heads import publish_head
from services.points.proof.sealing import seal_due
from services.points.reports import endpoints as reports
from services.points.subscriptions import SUBSCRIPTIONS

JOBS = {"expire_holds": expire_holds, "expire_lots": expire_lots, "seal": seal_due, "publish_head": publish_head}
"""What falls due in the books: what is over is sealed before the head is published."""


def create_app(settings: Settings) -> FastAPI:
    """The service as an ASGI app."""
    return create_service(
        "points",
        settings,
        title="Linli points",
        routers=[
            accounts.router,
            book_rules.router,
            holds.router,
            ledger.router,
            ledger.home_router,
            proof.router,
            proof.writing_router,
            reports.router,
            earning_rules.router,
            certifications.router,
            proposals.router,
            anomalies.router,
        ],
        subscriptions=SUBSCRIPTIONS,
        resources=_resources,
    )


@asynccontextmanager
async def _resources(app: FastAPI) -> AsyncIterator[None]:
    database = app.state.database
    app.state.ledger_commands = LedgerCommands(database)
    app.state.snapshots = Snapshots(database)
    keeper = BookKeeper(database, poll_seconds=app.state.settings.ledger_poll_seconds, jobs=JOBS)
    async with running(keeper.run(), name="points-bookkeeping"):
        yield
