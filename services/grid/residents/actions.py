"""Everything that changes residents."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from models.grid import HouseholdMember, Resident
from models.identity import Membership
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.grid.areas.policy import REGISTRARS, keeps_register_of
from services.grid.areas.queries import lies_in
from services.grid.households.queries import find_household
from services.grid.residents import policy
from services.grid.residents.queries import ResidentNotFound
from services.grid.residents.schemas import ResidentRegistration


class AccountNotAMember(Problem):
    status = 422
    code = "account_not_a_member"
    zh = "该账号不属于本区。"
    en = "This account does not belong to the district."


class AccountAlreadyLinked(Problem):
    """A resident has one account, and an account is one resident."""

    status = 409
    code = "account_already_linked"
    zh = "该居民或该账号已关联。"
    en = "The resident, or the account, is linked already."


async def register_resident(transaction: AsyncSession, caller: Identity, registration: ResidentRegistration) -> UUID:
    """Adds a resident to a household; returns the resident's id. Raises HouseholdNotFound and Forbidden."""
    household, area = await find_household(transaction, caller, registration.household_id)
    if not keeps_register_of(caller, area.ancestor_ids):
        raise Forbidden
    resident = Resident(
        tenant_id=caller.tenant_id,
        id=new_id(),
        name=registration.name,
        sex=registration.sex,
        birth_date=registration.birth_date,
        phone=registration.phone,
    )
    transaction.add(resident)
    await transaction.flush()
    transaction.add(
        HouseholdMember(
            tenant_id=caller.tenant_id,
            household_id=household.id,
            resident_id=resident.id,
            relation=registration.relation,
            is_registered_here=registration.is_registered_here,
            lives_here=registration.lives_here,
        )
    )
    return resident.id


async def link_account(transaction: AsyncSession, caller: Identity, resident_id: UUID, account_id: UUID) -> None:
    """From now on the account acts as this resident. Linking the same two again changes nothing.

    Raises ResidentNotFound, Forbidden, AccountNotAMember and AccountAlreadyLinked.
    """
    resident = await _resident_to_keep(transaction, caller, resident_id)
    membership = await transaction.get(Membership, (caller.tenant_id, account_id))
    if membership is None or membership.ended_at is not None:
        raise AccountNotAMember
    if resident.account_id not in (None, account_id):
        raise AccountAlreadyLinked
    resident.account_id = account_id
    try:
        await transaction.flush()
    except IntegrityError as error:
        raise AccountAlreadyLinked from error


async def _resident_to_keep(transaction: AsyncSession, caller: Identity, resident_id: UUID) -> Resident:
    """The resident, locked, if the caller keeps the register of one of the resident's homes."""
    visible = (
        select(Resident)
        .where(Resident.tenant_id == caller.tenant_id, Resident.id == resident_id, policy.is_visible_to(caller))
        .with_for_update()
    )
    if (resident := await transaction.scalar(visible)) is None:
        raise ResidentNotFound
    kept = select(Resident.id).where(
        Resident.tenant_id == caller.tenant_id,
        Resident.id == resident_id,
        policy.belongs_to_household_where(lies_in(caller.areas_as(REGISTRARS))),
    )
    if await transaction.scalar(kept) is None:
        raise Forbidden
    return resident
