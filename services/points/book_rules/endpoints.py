"""The rules of the books over HTTP."""

from fastapi import APIRouter

from models.points import Asset
from services.chassis.application import problems
from services.chassis.errors import Forbidden, Unauthenticated
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.points.book_rules import actions, queries
from services.points.book_rules.schemas import BookRules, BookRulesRead

router = APIRouter(
    prefix="/v1/points/book-rules", tags=["points"], route_class=TenantRoute, responses=problems(Unauthenticated)
)


@router.get("/in-force", response_model=BookRulesRead)
async def read_book_rules(transaction: Transaction, caller: Caller, asset: Asset = Asset.POINTS) -> BookRulesRead:
    """What holds now: expiry, cap, what needs a second person, whether members may transfer (账本规则)."""
    return await queries.rules_in_force(transaction, caller.tenant_id, asset)


@router.get("", response_model=Page[BookRulesRead], responses=problems(InvalidCursor))
async def list_book_rules(
    transaction: Transaction, caller: Caller, asset: Asset = Asset.POINTS, cursor: Cursor = None, limit: Limit = 20
) -> Page[BookRulesRead]:
    """Every version that was ever decided, newest first."""
    return await queries.versions_page(transaction, caller.tenant_id, asset, cursor=cursor, limit=limit)


@router.post(
    "",
    status_code=201,
    response_model=BookRulesRead,
    dependencies=ONCE,
    responses=problems(IdempotencyKeyMissing, IdempotencyKeyReused, Forbidden),
)
async def decide_book_rules(body: BookRules, transaction: Transaction, caller: Caller) -> BookRulesRead:
    """District administrators: what holds from now on. What is already booked keeps its expiry."""
    return await actions.decide_rules(transaction, caller, body)
