"""Who keeps whose account: whoever could give every role that the person holds here, now or in future."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from models.identity import Role
from services.chassis.identity import Identity
from services.identity.grants.policy import administers, may_give


class HeldRole(NamedTuple):
    role: Role
    ancestor_ids: Sequence[UUID]
    """Of the area it is held in."""


def knows(caller: Identity, held: Sequence[HeldRole]) -> bool:
    return any(administers(caller, each.ancestor_ids) for each in held)


def keeps(caller: Identity, held: Sequence[HeldRole]) -> bool:
    return all(may_give(caller, each.role, each.ancestor_ids) for each in held)
