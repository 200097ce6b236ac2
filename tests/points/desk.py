"""The points API as people call it: by their names, answers as they come."""

from datetime import datetime
from typing import Any

from httpx2 import Response

from services.chassis.clock import SHANGHAI
from tests.points.books import Books
from tests.world import World

Json = dict[str, Any]


def done(answer: Response) -> Json:
    """The body of an answer that says it is done."""
    assert answer.status_code in {200, 201}, answer.text
    return dict(answer.json())


def refused(answer: Response) -> tuple[int, str]:
    """Why it was not done."""
    assert answer.status_code >= 400, answer.text
    return answer.status_code, answer.json()["code"]


def wall_clock(moment: str) -> str:
    """2026-03-16 09:00, from a moment of the API."""
    return f"{datetime.fromisoformat(moment).astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


class Desk:
    """The clerk's desk at 康乐路南, and what people do there themselves."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.world: World = books.world

    def id_of(self, person: str) -> str:
        return str(self.world.people[person].account_id)

    @property
    def community_id(self) -> str:
        return str(self.world.areas["community"])

    def leg(self, owner: str, amount: int, *, kind: str | None = None, asset: str = "points") -> Json:
        """`owner` is a person's name, `community`, or an id with its kind."""
        if owner in self.world.people:
            return {"account_kind": kind or "member", "owner_id": self.id_of(owner), "amount": amount, "asset": asset}
        owner_id = str(self.world.areas[owner]) if owner in self.world.areas else owner
        return {"account_kind": kind or "issuing_community", "owner_id": owner_id, "amount": amount, "asset": asset}

    async def award(self, to: str = "member", amount: int = 100, *, key: str | None = None, **changes: Any) -> Response:
        body = {
            "account_id": self.id_of(to),
            "community_id": self.community_id,
            "amount": amount,
            "reason": "助老服务",
            **changes,
        }
        return await self.world.points_clerk.post("/v1/points/postings", body, key=key)

    def movement(self, kind: str, *legs: Json, **changes: Any) -> Json:
        return {"kind": kind, "reason": "洗衣液", "legs": list(legs), **changes}

    async def post(self, kind: str, *legs: Json, key: str | None = None, **changes: Any) -> Response:
        """Any transaction, by the clerk."""
        body = self.movement(kind, *legs, **changes)
        return await self.world.points_clerk.post("/v1/points/transactions", body, key=key)

    async def spend(self, who: str, amount: int, *, key: str | None = None, **changes: Any) -> Response:
        """Points back to the community, for goods."""
        return await self.post("redemption", self.leg(who, -amount), self.leg("community", amount), key=key, **changes)

    async def bulk(self, mode: str, *movements: Json, key: str | None = None) -> Response:
        body = {"mode": mode, "transactions": list(movements)}
        return await self.world.points_clerk.post("/v1/points/transactions/bulk", body, key=key)

    async def transfer(self, giver: str, to: str, amount: int, *, key: str | None = None, **changes: Any) -> Response:
        body = {"to_account_id": self.id_of(to), "amount": amount, "reason": "谢谢您", **changes}
        return await self.world.people[giver].post("/v1/points/transfers", body, key=key)

    async def hold(
        self, who: str, amount: int, *, by: str | None = None, key: str | None = None, **changes: Any
    ) -> Response:
        body = {
            "account_id": self.id_of(who),
            "amount": amount,
            "to_account_kind": "issuing_community",
            "to_owner_id": self.community_id,
            "reason": "预定洗衣液",
            **changes,
        }
        return await self.world.people[by or who].post("/v1/points/holds", body, key=key)

    async def post_hold(
        self, hold: Json, amount: int | None = None, *, by: str = "points_clerk", key: str | None = None
    ) -> Response:
        body = {} if amount is None else {"amount": amount}
        return await self.world.people[by].post(f"/v1/points/holds/{hold['id']}/post", body, key=key)

    async def void_hold(self, hold: Json, *, by: str = "points_clerk", key: str | None = None) -> Response:
        return await self.world.people[by].post(f"/v1/points/holds/{hold['id']}/void", {"reason": "缺货"}, key=key)

    async def read_hold(self, hold: Json, *, by: str = "points_clerk") -> Response:
        return await self.world.people[by].get(f"/v1/points/holds/{hold['id']}")

    async def reverse(self, posting: Json, *, by: str = "points_clerk", key: str | None = None) -> Response:
        path = f"/v1/points/postings/{posting['id']}/reverse"
        return await self.world.people[by].post(path, {"reason": "登记错误"}, key=key)

    async def open(self, kind: str = "merchant", name: str = "惠民生活超市", **changes: Any) -> Response:
        body = {"kind": kind, "name": name, "community_id": self.community_id, **changes}
        return await self.world.points_clerk.post("/v1/points/accounts", body)

    async def change(self, owner_id: str, action: str, *, by: str = "points_clerk", **changes: Any) -> Response:
        """freeze, unfreeze, close or reopen."""
        body = {"reason": "核实期间", **changes}
        return await self.world.people[by].post(f"/v1/points/accounts/{owner_id}/{action}", body)

    async def decide(self, *, by: str = "district_admin", **rules: Any) -> Response:
        return await self.world.people[by].post("/v1/points/book-rules", {"asset": "points", **rules})

    async def account(self, who: str, asset: str = "points") -> Json:
        return done(await self.world.people[who].get("/v1/points/account", asset=asset))

    async def figures(self, who: str) -> tuple[int, int, int]:
        """Balance, held, available."""
        account = await self.account(who)
        return account["balance"], account["held"], account["available"]

    async def lots(self, who: str) -> list[tuple[int, str | None]]:
        """What is left of each lot, and when it is over in Shanghai, in the order it is spent."""
        items = done(await self.world.people[who].get("/v1/points/lots", limit=100))["items"]
        return [(lot["remaining"], lot["expires_at"] and wall_clock(lot["expires_at"])) for lot in items]

    async def statement(self, who: str) -> list[tuple[str, int]]:
        """Kind and amount of each entry, oldest first."""
        items = done(await self.world.people[who].get("/v1/points/statement", limit=100))["items"]
        return [(line["kind"], line["amount"]) for line in reversed(items)]
