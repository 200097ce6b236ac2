"""The ledger in plain Python: what `ledger_post` and `ledger_post_batch` must agree with."""

from dataclasses import dataclass, field, replace
from uuid import UUID

from services.points.ledger.posting import PostCommand
from tests.points.books import COMMUNITY

LARGEST_LEG = 10**9


@dataclass(frozen=True)
class Outcome:
    """`result` is the id of the transaction, or the code of the refusal."""

    status: int
    result: str
    replayed: bool = False


@dataclass
class Model:
    """One district's books. Everybody is a member of it, and its clerks issue for every community or for none."""

    balances: dict[UUID, int] = field(default_factory=dict)
    sources: dict[tuple[str, str], str] = field(default_factory=dict)
    keys: dict[tuple[UUID | None, str], tuple[str | None, Outcome]] = field(default_factory=dict)

    def post_batch(self, commands: list[PostCommand]) -> list[Outcome]:
        """One after the other; but what repeats a key or a source of another in the batch waits for the next turn."""
        outcomes: dict[int, Outcome] = {}
        waiting = dict(enumerate(commands))
        while waiting:
            known_keys, seen = set(self.keys), set[object]()
            for place, command in list(waiting.items()):
                key, source = _key(command), (command.source_kind, command.source_id)
                if key not in known_keys:
                    waits = key in seen or source in seen
                    seen |= {key, source} - {None}
                    if waits:
                        continue
                outcomes[place] = self.post(waiting.pop(place))
        return [outcomes[place] for place in range(len(commands))]

    def post(self, command: PostCommand) -> Outcome:
        key = _key(command)
        if key in self.keys:
            request_hash, outcome = self.keys[key]
            return replace(outcome if request_hash == command.request_hash else _REUSED, replayed=True)
        outcome = self._decide(command)
        if key is not None:
            self.keys[key] = (command.request_hash, outcome)
        return outcome

    def _decide(self, command: PostCommand) -> Outcome:
        source = (command.source_kind, command.source_id)
        if source in self.sources and command.issuer_areas == []:
            return Outcome(403, "forbidden")
        if source in self.sources:
            return Outcome(201, self.sources[source], replayed=True)
        refusal = _refusal(command) or self._overdraft(command)
        if refusal is not None:
            return refusal
        for owner_id, amount in zip(command.leg_owners, command.leg_amounts, strict=True):
            self.balances[owner_id] = self.balances.get(owner_id, 0) + amount
        self.sources[source] = str(command.id)
        return Outcome(201, str(command.id))

    def _overdraft(self, command: PostCommand) -> Outcome | None:
        legs = zip(command.leg_kinds, command.leg_owners, command.leg_amounts, strict=True)
        if any(kind != COMMUNITY and self.balances.get(owner, 0) + amount < 0 for kind, owner, amount in legs):
            return Outcome(409, "insufficient_points")
        return None


_REUSED = Outcome(422, "idempotency_key_reused")


def _key(command: PostCommand) -> tuple[UUID | None, str] | None:
    return None if command.idempotency_key is None else (command.account, command.idempotency_key)


def _refusal(command: PostCommand) -> Outcome | None:
    amounts = command.leg_amounts
    has_right_size = all(0 < abs(amount) <= LARGEST_LEG for amount in amounts)
    is_apart = len(set(command.leg_owners)) == len(amounts) >= 2
    if not (has_right_size and is_apart and sum(amounts) == 0):
        return Outcome(422, "unbalanced_legs")
    if command.issuer_areas == []:
        return Outcome(403, "forbidden")
    if command.issuer_areas and command.account in command.leg_owners:
        return Outcome(403, "own_points")
    if command.issuer_areas and _is_between_members(command):
        return Outcome(403, "forbidden")
    return None


def _is_between_members(command: PostCommand) -> bool:
    moved = {
        amount > 0 for kind, amount in zip(command.leg_kinds, command.leg_amounts, strict=True) if kind != COMMUNITY
    }
    return moved == {True, False}
