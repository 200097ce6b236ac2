"""Long walks through the books over HTTP, beside a model of them: after every step both say the same."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.conftest import TestServer
from tests.points.machine.district import BEGINNING, Answered, District, PointsService, points_service
from tests.points.machine.model import Books, Hold, Leg, Place, Refused, Rules, Transaction

Result = TypeVar("Result")

WALKS, STEPS = 115, 100
AUDIT_EVERY = 33

MEMBERS = ("member", "second_member", "other_member")
COMMUNITIES = ("south", "north")
SHOP = Place("merchant", "shop")
ASSETS = ("points", "minutes")

members = st.sampled_from(MEMBERS)
communities = st.sampled_from(COMMUNITIES)
assets = st.sampled_from(("points", "points", "points", "minutes"))
amounts = st.integers(1, 60)
shares = st.sampled_from((10, 40, 70, 100, 100, 130))
"""How much of what can be spent, in percent: now and then more than there is."""
earlier = st.integers(0, 30)
"""Which one of those before, counted back from the last."""
terms = st.sampled_from((None, 1, 30, 24 * 20))
UNDOES = {"frozen": "unfreeze", "closed": "reopen", "open": "freeze", "": "close"}
EXPIRIES = (("none", 0), ("days", 1), ("days", 30), ("months", 0), ("months", 1), ("years", 0))


@pytest.fixture
def service(postgres: TestServer, tmp_path: Path) -> Iterator[PointsService]:
    with points_service(postgres, tmp_path) as running:
        yield running


def member(name: str, asset: str = "points") -> Place:
    return Place("member", name, asset)


PLACES = [member(name, asset) for name in MEMBERS for asset in ASSETS]


class Walk(RuleBasedStateMachine):
    """One district from its first day. Every rule is a request, or a moment that passes."""

    service: ClassVar[PointsService]
    steps_of_all_walks: ClassVar[int]

    def __init__(self) -> None:
        super().__init__()
        self.district = District.fresh(self.service)
        self.books = Books(BEGINNING)
        self.district.set_clock(BEGINNING)
        self.steps = 0
        self.standings: dict[Place, dict[str, Any]] = {}

    def teardown(self) -> None:
        try:
            self._audit()
        finally:
            self.district.close()

    # How a step is taken

    def _share(self, place: Place, share: int) -> int:
        """So much of what can be spent; 1 at least, for an amount is never 0."""
        account = self.books.account(place)
        spendable = account.available(self.books.now) if place.kind == "member" else account.balance
        return max(1, spendable * share // 100)

    def _decide(
        self,
        person: str,
        path: str,
        body: dict[str, Any],
        decide: Callable[[], Transaction | Hold | None],
        *,
        status: int = 201,
    ) -> None:
        """The product and the model are asked the same, and must answer the same."""
        answered = self.district.post(person, path, body)
        decided = _outcome(decide)
        if isinstance(decided, Refused):
            assert answered.answer.get("code") in decided.codes, (answered, decided)
            assert 400 <= answered.status < 500, answered
            return
        assert answered.status == status, (answered, decided)
        if isinstance(decided, Transaction) and "legs" in answered.answer:
            assert self.district.legs(answered.answer) == {
                place: entry.amount for place, entry in decided.entries.items()
            }
            assert decided.posting_id in {"", answered.answer["id"]}
            decided.posting_id = answered.answer["id"]
        elif isinstance(decided, Transaction):
            decided.posting_id = answered.answer["posting_id"]
        elif isinstance(decided, Hold):
            decided.hold_id = answered.answer["id"]

    def _transaction(self, legs: Sequence[Leg], kind: str, **more: Any) -> dict[str, Any]:
        """The body of a clerk's transaction."""
        return {
            "kind": kind,
            "reason": "助老服务",
            "legs": [
                {
                    "account_kind": place.kind,
                    "owner_id": self.district.owners[place.owner],
                    "amount": amount,
                    "asset": place.asset,
                }
                for place, amount in legs
            ],
            **more,
        }

    def _clerk_posts(self, legs: Sequence[Leg], kind: str) -> None:
        self._decide("clerk", "/transactions", self._transaction(legs, kind), lambda: self.books.post(legs, kind))

    def _decide_rules(self, asset: str, rules: Rules) -> None:
        def decide() -> None:
            self.books.rules[asset] = rules

        self._decide("district_admin", "/book-rules", {"asset": asset, **vars(rules)}, decide)

    # The first day

    @initialize(expires=st.booleans(), return_days=st.sampled_from((0, 3)))
    def opens(self, expires: bool, return_days: int) -> None:
        opened = self.district.post(
            "clerk",
            "/accounts",
            {"kind": "merchant", "name": "惠民超市", "community_id": self.district.owners["south"]},
        )
        self.district.owners["shop"] = opened.answer["owner_id"]
        self.books.accounts[SHOP] = self.books.account(SHOP)
        unit, count = ("days", 30) if expires else ("none", 0)
        rules = Rules(unit, count, return_days, spent_earning="debt", may_transfer=True)
        self._decide_rules("points", rules)
        self._decide_rules("minutes", replace(rules, minutes_per_point=3))
        for number, name in enumerate(MEMBERS):
            self.award(name, "points", "north", 90)
            self.book_service_of_an_earlier_day(name, "points", 60, 10, 100 + number)
            self.award(name, "minutes", "south", 120)

    # Earning

    @rule(to=members, asset=assets, community=communities, amount=amounts)
    def award(self, to: str, asset: str, community: str, amount: int) -> None:
        legs = [Leg(Place("issuing_community", community, asset), -amount), Leg(member(to, asset), amount)]
        body = {
            "account_id": self.district.owners[to],
            "community_id": self.district.owners[community],
            "amount": amount,
            "reason": "重阳节敬老志愿服务",
            "asset": asset,
        }
        self._decide("clerk", "/postings", body, lambda: self.books.post(legs, "award"))

    @rule(to=members, asset=assets, amount=amounts, days_ago=st.integers(-2, 60), source=st.integers(0, 40))
    def book_service_of_an_earlier_day(self, to: str, asset: str, amount: int, days_ago: int, source: int) -> None:
        """A source is posted once, whatever is asked for it the second time."""
        legs = [Leg(Place("issuing_community", "south", asset), -amount), Leg(member(to, asset), amount)]
        effective_at = self.books.now - timedelta(days=days_ago)
        body = self._transaction(
            legs,
            "service",
            source={"kind": "activity_certified", "id": str(source)},
            effective_at=effective_at.isoformat(),
        )
        self._decide(
            "clerk",
            "/transactions",
            body,
            lambda: self.books.post(legs, "service", source=str(source), effective_at=effective_at),
        )

    @rule(to=members, asset=assets, amount=amounts)
    def correct(self, to: str, asset: str, amount: int) -> None:
        self._clerk_posts(
            [Leg(Place("correction", "north", asset), -amount), Leg(member(to, asset), amount)], "correction"
        )

    @rule(to=members, community=communities, share=shares)
    def convert(self, to: str, community: str, share: int) -> None:
        points = max(
            1, self._share(member(to, "minutes"), share) // (self.books.rules["minutes"].minutes_per_point or 1)
        )
        body = {"points": points, "community_id": self.district.owners[community]}
        self._decide(to, "/conversions", body, lambda: self.books.convert(to, community, points))

    # Spending

    @rule(giver=members, taker=members, asset=assets, share=shares)
    def transfer(self, giver: str, taker: str, asset: str, share: int) -> None:
        amount = self._share(member(giver, asset), share)
        body = {"to_account_id": self.district.owners[taker], "amount": amount, "reason": "送给邻居", "asset": asset}
        places = member(giver, asset), member(taker, asset)
        self._decide(giver, "/transfers", body, lambda: self.books.transfer(*places, amount))

    @rule(by=members, share=shares, at_shop=st.booleans())
    def redeem(self, by: str, share: int, at_shop: bool) -> None:
        amount = self._share(member(by), share)
        to = SHOP if at_shop else Place("issuing_community", "south")
        self._clerk_posts([Leg(member(by), -amount), Leg(to, amount)], "redemption")

    @rule(pair=st.permutations(MEMBERS), share=shares, to_shop=st.booleans())
    def give_together(self, pair: list[str], share: int, to_shop: bool) -> None:
        """Two give unequal parts: to the shop, or to the third, which is not a clerk's to post."""
        first = self._share(member(pair[0]), share)
        second = self._share(member(pair[1]), share) + 1
        parts = first, second + (first == second)
        to = SHOP if to_shop else member(pair[2])
        legs = [Leg(member(pair[0]), -parts[0]), Leg(member(pair[1]), -parts[1]), Leg(to, sum(parts))]
        self._clerk_posts(legs, "redemption" if to_shop else "transfer")

    @rule(share=shares)
    def settle(self, share: int) -> None:
        amount = self._share(SHOP, share)
        self._clerk_posts([Leg(SHOP, -amount), Leg(Place("issuing_community", "south"), amount)], "settlement")

    @rule(to=members, share=shares)
    def shop_gives_back(self, to: str, share: int) -> None:
        amount = self._share(SHOP, share)
        self._clerk_posts([Leg(SHOP, -amount), Leg(member(to), amount)], "correction")

    # Holds

    @rule(of=members, asset=assets, share=shares, by_clerk=st.booleans(), hours=terms)
    def hold(self, of: str, asset: str, share: int, by_clerk: bool, hours: int | None) -> None:
        amount = self._share(member(of, asset), share)
        to = SHOP if asset == "points" else Place("issuing_community", "south", asset)
        expires_at = None if hours is None else self.books.now + timedelta(hours=hours)
        body = {
            "account_id": self.district.owners[of],
            "amount": amount,
            "asset": asset,
            "to_account_kind": to.kind,
            "to_owner_id": self.district.owners[to.owner],
            "reason": "预定洗衣液",
            "expires_at": None if expires_at is None else expires_at.isoformat(),
        }
        person = "clerk" if by_clerk else of
        self._decide(person, "/holds", body, lambda: self.books.hold(member(of, asset), to, amount, expires_at))

    @precondition(lambda self: self.books.holds)
    @rule(which=earlier, share=st.sampled_from((None, None, 1, 50, 110)))
    def post_hold(self, which: int, share: int | None) -> None:
        hold = self._one_of(self.books.holds, which)
        part = None if share is None else 1 + hold.amount * share // 100
        path = f"/holds/{hold.hold_id}/post"
        self._decide("clerk", path, {"amount": part}, lambda: self.books.post_hold(hold, part), status=200)

    @precondition(lambda self: self.books.holds)
    @rule(which=earlier)
    def void_hold(self, which: int) -> None:
        hold = self._one_of(self.books.holds, which)
        path = f"/holds/{hold.hold_id}/void"
        self._decide("clerk", path, {"reason": "缺货"}, lambda: self.books.void_hold(hold), status=200)

    # Taking back

    @precondition(lambda self: self._known())
    @rule(which=earlier)
    def reverse(self, which: int) -> None:
        original = self._one_of(self._known(), which)
        path = f"/postings/{original.posting_id}/reverse"
        self._decide("clerk", path, {"reason": "登记错误"}, lambda: self.books.reverse(original))

    @precondition(lambda self: self._known())
    @rule(which=earlier)
    def reverse_again(self, which: int) -> None:
        """The richest of all rules, drawn twice as often."""
        self.reverse(which)

    @rule(by=members, share=shares, hours=st.sampled_from((1, 24 * 31)))
    def redeem_and_bring_back(self, by: str, share: int, hours: int) -> None:
        """At once, or when what was spent would be over by now."""
        self.redeem(by, share, at_shop=True)
        self.time_passes(hours)
        self.reverse(0)

    # Time

    @rule(hours=st.sampled_from((1, 13, 24, 24 * 7, 24 * 29, 24 * 31, 24 * 180)))
    def time_passes(self, hours: int) -> None:
        self.books.now += timedelta(hours=hours)
        self.district.set_clock(self.books.now)

    @rule()
    def holds_expire(self) -> None:
        self.books.expire_holds()
        self.district.expire_holds()

    @rule()
    def lots_expire(self) -> None:
        self.books.expire_lots()
        self.district.expire_lots()

    # Accounts and rules

    @rule(
        owner=st.sampled_from((*MEMBERS, "shop")),
        is_undone=st.booleans(),
        action=st.sampled_from(tuple(UNDOES.values())),
    )
    def change_account(self, owner: str, is_undone: bool, action: str) -> None:
        """Frozen and closed accounts are rather opened again."""
        place = SHOP if owner == "shop" else member(owner)
        action = UNDOES.get(self.books.account(place).status, action) if is_undone else action
        path = f"/accounts/{self.district.owners[owner]}/{action}"
        self._decide("clerk", path, {"reason": "核实"}, lambda: self.books.change_status(place, action), status=200)

    @rule(
        asset=st.sampled_from(ASSETS),
        expiry=st.sampled_from(EXPIRIES),
        days=st.sampled_from((0, 0, 3, 40)),
        spent=st.sampled_from(("refuse", "debt")),
        hold_days=st.sampled_from((1, 7, 40)),
        cap=st.sampled_from((None, None, 150)),
        second_person_from=st.sampled_from((None, None, 55)),
        may_transfer=st.sampled_from((True, True, False)),
    )
    def change_rules(
        self,
        asset: str,
        expiry: tuple[str, int],
        days: int,
        spent: str,
        hold_days: int,
        cap: int | None,
        second_person_from: int | None,
        may_transfer: bool,
    ) -> None:
        rules = Rules(
            *expiry, days, spent, hold_days, cap, second_person_from, may_transfer, 2 if asset == "minutes" else None
        )
        self._decide_rules(asset, rules)

    # Many at once

    @rule(
        mode=st.sampled_from(("each", "all_or_nothing")),
        wishes=st.lists(st.tuples(members, st.integers(-60, 60).filter(bool)), min_size=1, max_size=5),
    )
    def bulk(self, mode: str, wishes: list[tuple[str, int]]) -> None:
        """Credits and redemptions in one request, each with its own outcome or none at all."""
        items = [self._wish(name, amount) for name, amount in wishes]
        body = {"mode": mode, "transactions": [self._transaction(legs, kind) for legs, kind in items]}
        answered = self.district.post("clerk", "/transactions/bulk", body)
        before = deepcopy(self.books)
        outcomes = [_outcome(partial(self.books.post, legs, kind)) for legs, kind in items]
        refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
        if refused and mode == "all_or_nothing":
            self.books = before
            assert (answered.status, answered.answer["refused"]) == (409, len(refused))
            return
        assert (answered.status, answered.answer["refused"]) == (200, len(refused))
        for outcome, result in zip(outcomes, answered.answer["results"], strict=True):
            if isinstance(outcome, Refused):
                assert result["code"] in outcome.codes
            else:
                outcome.posting_id = result["posting_id"]

    def _wish(self, name: str, amount: int) -> tuple[list[Leg], str]:
        if amount < 0:
            return [Leg(member(name), amount), Leg(SHOP, -amount)], "redemption"
        return [Leg(Place("issuing_community", "south"), -amount), Leg(member(name), amount)], "award"

    # The same again

    @precondition(lambda self: self.district.answered)
    @rule(which=earlier)
    def repeat(self, which: int) -> None:
        """The same answer for ever, a refusal too, and nothing happens."""
        first = self._one_of(self.district.answered, which)
        again = self.district.send(first.person, first.path, first.body, first.key)
        answer = {name: value for name, value in again.json().items() if name != "request_id"}
        assert (again.status_code, answer) == (first.status, first.lasting)
        assert again.headers["Idempotency-Replayed"] == "true"

    @precondition(lambda self: self.district.answered)
    @rule(which=earlier)
    def ask_by_key(self, which: int) -> None:
        first = self._one_of(self.district.answered, which)
        stored = self.district.get(first.person, f"/postings/by-key/{first.key}")
        assert stored["status"] == first.status
        assert stored["body"].items() <= first.answer.items()

    @precondition(lambda self: self.district.answered)
    @rule(which=earlier)
    def reuse_a_key(self, which: int) -> None:
        """Another request under a key that was used is refused, and nothing happens."""
        first = self._one_of(self.district.answered, which)
        answer = self.district.send(first.person, "/transfers", self._tempting_transfer(first), first.key)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")

    def _tempting_transfer(self, first: Answered) -> dict[str, Any]:
        taker = next(name for name in MEMBERS if name != first.person)
        return {"to_account_id": self.district.owners[taker], "amount": 1, "reason": f"另一笔 {first.key}"}

    # What is compared

    @invariant()
    def agrees(self) -> None:
        """As the member reads it: every account that should have changed, and one of those that should not."""
        Walk.steps_of_all_walks += 1
        self.steps += 1
        for number, place in enumerate(PLACES):
            expected = self._standing(place)
            if expected != self.standings.get(place) or number == self.steps % len(PLACES):
                seen = self.district.standing(place)
                assert {name: seen[name] for name in expected} == expected, place
            self.standings[place] = expected
        if self.steps % AUDIT_EVERY == 0:
            self._audit()

    def _standing(self, place: Place) -> dict[str, Any]:
        account = self.books.account(place)
        return {
            "status": account.status,
            "balance": account.balance,
            "held": account.held,
            "available": account.available(self.books.now),
            "debt": self.books.owed(place),
            "version": account.version,
        }

    def _audit(self) -> None:
        """The whole of it: lots, what is pending, the communities' accounts, past moments, and the invariants."""
        for place in PLACES:
            account = self.books.account(place)
            assert self.district.lots(place) == [
                (lot.sequence, lot.part, lot.amount, lot.remaining, lot.held, lot.expires_at, lot.issuer)
                for lot in account.open_lots()
            ]
            pending = [hold for hold in self.books.holds if hold.place == place and hold.state == "pending"]
            assert self.district.pending_holds(place) == {hold.hold_id: hold.amount for hold in pending}
            for moment, balance in dict(account.past[-5:-1:2]).items():
                last = [after for when, after in account.past if when == moment][-1]
                assert self.district.balance_at(place, moment) == last, (moment, balance)
        for asset in ASSETS:
            others = {
                place: account.balance
                for place, account in self.books.accounts.items()
                if place.asset == asset and place.kind not in {"member", "debt"}
            }
            seen = self.district.balances_of_others(asset)
            assert {place: balance for place, balance in seen.items() if balance} == {
                place: balance for place, balance in others.items() if balance
            }
        assert self.district.broken() == []

    def _known(self) -> list[Transaction]:
        return [transaction for transaction in self.books.transactions if transaction.posting_id]

    @staticmethod
    def _one_of(some: Sequence[Any], which: int) -> Any:
        return some[-1 - which % len(some)]


def _outcome(decide: Callable[[], Result]) -> Result | Refused:
    try:
        return decide()
    except Refused as refused:
        return refused


def test_ten_thousand_steps_agree_with_the_model(service: PointsService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Walk, "service", service, raising=False)
    monkeypatch.setattr(Walk, "steps_of_all_walks", 0, raising=False)
    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=WALKS,
            stateful_step_count=STEPS,
            derandomize=True,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Walk.steps_of_all_walks >= 10_000
