"""Mr Zhang's story, played against a running product through its public API: `make demo`.

He cannot walk and needs his week's medicine every Monday morning. He orders; the community accepts and dispatches it; a
member takes it, does it and shows evidence; the community checks; he rates; the member's points arrive, once.
"""

import time
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2

from demo.personas import DEMO_PASSWORD, PERSONA
from demo.photo import has_exif, take_photo, tells_where
from demo.stage import Actor, Stage, StoryBroken
from services.chassis import clock
from services.chassis.clock import SHANGHAI

SECONDS_FOR_POINTS = 10.0
EXPECTED_POINTS = 10
"""代购药品 earns 8, and 2 more for five stars (the demo district's reward rule)."""

LAST_LINES = 5


def main(base_url: str, wechat_url: str | None = None) -> int:
    """Play the story and print each step; 0 when everything was as it should be, 1 when not.

    With the address of the fake WeChat server, Mr Zhang signs in through it; otherwise as a persona.
    """
    with httpx2.Client(base_url=base_url, timeout=30, trust_env=False) as http:
        try:
            _Story(Stage(http), wechat_url).play()
        except StoryBroken as broken:
            print(f"\nThe story broke: {broken}")
            return 1
        except httpx2.TransportError as error:
            print(f"Nothing answers at {base_url} ({error}). Start the product with: make run")
            return 1
    print("\nEverything was as it should be.")
    return 0


class _Story:
    def __init__(self, stage: Stage, wechat_url: str | None) -> None:
        self._stage = stage
        self._wechat_url = wechat_url
        self._zhang = Actor(PERSONA["zhang"], stage)
        self._neighbour = Actor(PERSONA["neighbour"], stage)
        self._dispatcher = Actor(PERSONA["dispatcher"], stage)
        self._member = Actor(PERSONA["member"], stage)
        self._second_member = Actor(PERSONA["second_member"], stage)

    def play(self) -> None:
        """Raises StoryBroken at the first step that is not as it should be."""
        self._everybody_signs_in()
        points_before = self._points()
        order_id = self._zhang_orders()
        self._community_dispatches(order_id)
        self._member_accepts(order_id)
        photo_id = self._member_does_it(order_id)
        self._zhang_looks(order_id, photo_id)
        self._community_verifies(order_id)
        self._zhang_rates(order_id)
        points_after = self._points_arrive(points_before)
        self._print_statement(order_id, points_before, points_after)

    def _everybody_signs_in(self) -> None:
        self._zhang_signs_in()
        username = self._dispatcher.persona.username
        self._dispatcher.sign_in(
            "signs in with a password", "password", {"username": username, "password": DEMO_PASSWORD}
        )
        for actor in (self._member, self._second_member, self._neighbour):
            actor.sign_in("signs in as a persona", "demo", {"persona": actor.persona.key})

    def _zhang_signs_in(self) -> None:
        if self._wechat_url is None:
            self._zhang.sign_in("signs in as a persona", "demo", {"persona": "zhang"})
            return
        telephone = httpx2.post(
            f"{self._wechat_url}/_fake/login", json={"openid": PERSONA["zhang"].openid}, trust_env=False
        )
        code = telephone.json()["code"]
        self._zhang.sign_in("opens the mini-program and signs in", "wechat", {"code": code})

    def _zhang_orders(self) -> str:
        monday = _next_monday()
        order = self._zhang.post(
            "orders a week's medicine for Monday morning",
            "/v1/orders",
            {
                "kind": "buy_medicine",
                "description": "帮忙买一周的常用药，药单和社保卡在家里，上门时给。",
                "wanted_from": (monday + timedelta(hours=9)).isoformat(),
                "wanted_until": (monday + timedelta(hours=12)).isoformat(),
            },
            expected=201,
            tells=_order,
        ).json()
        self._neighbour.get("tries to read the order next door", f"/v1/orders/{order['id']}", expected=404)
        return str(order["id"])

    def _community_dispatches(self, order_id: str) -> None:
        newest = self._dispatcher.get(
            "looks at what was placed", "/v1/orders?view=area&state=placed&limit=5", tells=_page
        ).json()
        _check(order_id in _ids(newest), "the dispatcher should see the new order")
        path = f"/v1/orders/{order_id}"
        self._dispatcher.post("accepts it for handling", f"{path}/triage", {"priority": "high"}, tells=_order)
        note = {"note": "请送上门，到楼下先打电话。"}
        self._dispatcher.post("puts it into the open pool", f"{path}/dispatch", note, tells=_order)

    def _member_accepts(self, order_id: str) -> None:
        pool = self._member.get("looks into the pool", "/v1/orders?view=pool&limit=5", tells=_page).json()
        _check(order_id in _ids(pool), "the pool should show the order")
        waiting = next(order for order in pool["items"] if order["id"] == order_id)
        _check(waiting["details"] is None, "the pool should not tell whose order it is")
        path = f"/v1/orders/{order_id}/accept"
        self._member.post("takes it", path, tells=_order)
        late = self._second_member.post("is a moment too late", path, expected=409).json()
        _check(late["order"]["state"] == "accepted", "who was too late should be told how the order stands")
        _check("accept" not in late["available_actions"], "who was too late should not be offered it again")

    def _member_does_it(self, order_id: str) -> str:
        self._member.get("reads where to go", f"/v1/orders/{order_id}", tells=_address)
        self._member.post("sets out", f"/v1/orders/{order_id}/start", tells=_order)
        taken = take_photo()
        _check(tells_where(taken), "the photo should hold a position before it is uploaded")
        uploaded = self._member.post(
            "uploads a photo from the doorstep", "/v1/files", photo=taken, expected=201, tells=_file
        )
        photo_id = str(uploaded.json()["id"])
        self._member.post(
            "reports it done, with photo and note",
            f"/v1/orders/{order_id}/complete",
            {"note": "药已送到，小票一并交给本人。", "file_ids": [photo_id]},
            tells=_order,
        )
        return photo_id

    def _zhang_looks(self, order_id: str, photo_id: str) -> None:
        photo = self._zhang.get("looks at the photo", f"/v1/files/{photo_id}", tells=_exif).content
        _check(not has_exif(photo), "the stored photo should hold no EXIF")
        self._neighbour.get("tries to see the photo", f"/v1/files/{photo_id}", expected=404)
        order = self._zhang.look(f"/v1/orders/{order_id}")
        _check(order["available_actions"] == ["rate"], "rating should be all that is left to do")

    def _community_verifies(self, order_id: str) -> None:
        path = f"/v1/orders/{order_id}"
        self._member.post("tries to check his own work", f"{path}/verify", expected=403)
        self._dispatcher.post("checks it: note and photo agree", f"{path}/verify", tells=_order)
        order = self._zhang.get("sees that it was checked", path, tells=_last_action).json()
        _check(order["available_actions"] == ["rate"], "rating should still be all that is left to do")

    def _zhang_rates(self, order_id: str) -> None:
        path, rating, key = (
            f"/v1/orders/{order_id}/rate",
            {"stars": 5, "solved": True, "comment": "谢谢，很准时。"},
            str(uuid4()),
        )
        first = self._zhang.post("rates: solved, five stars", path, rating, key=key, tells=_order)
        again = self._zhang.post("taps again: the same request, the same key", path, rating, key=key, tells=_replayed)
        _check(first.content == again.content, "the repeated request should get the same answer")
        other = {**rating, "stars": 1}
        self._zhang.post("the same key with another rating", path, other, key=key, expected=422)
        order = self._zhang.look(f"/v1/orders/{order_id}")
        _check(order["timer_action"] == "close", "a rated order should close by itself")
        _check(order["available_actions"] == ["reopen"], "opening it again should be all that is left to do")

    def _points(self) -> int:
        return int(self._member.look("/v1/points/account")["balance"])

    def _points_arrive(self, before: int) -> int:
        """The balance afterwards. Waits for the first change, then long enough for a second one to show."""
        started = time.perf_counter()
        while self._points() == before and time.perf_counter() - started < SECONDS_FOR_POINTS:
            time.sleep(0.02)
        milliseconds = (time.perf_counter() - started) * 1000
        time.sleep(0.5)
        after = self._points()
        self._stage.tell(self._member.persona.name, "has earned points", milliseconds, f"{before} → {after}")
        _check(after == before + EXPECTED_POINTS, f"the member should have earned {EXPECTED_POINTS} points, once")
        return after

    def _print_statement(self, order_id: str, before: int, after: int) -> None:
        lines = self._member.look("/v1/points/statement?limit=20")["items"]
        _check(sum(line["source_id"] == order_id for line in lines) == 1, "the statement should name the order once")
        print(f"\n{self._member.persona.name}: {before} points before, {after} now. The last lines of the statement:")
        for line in lines[:LAST_LINES]:
            at = datetime.fromisoformat(line["effective_at"]).astimezone(SHANGHAI)
            print(f"  {at:%Y-%m-%d %H:%M}  {line['amount']:+5d}  {line['balance_after']:5d}  {line['reason']}")


def _next_monday() -> datetime:
    """Midnight of the next Monday in China."""
    today = clock.now().astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=7 - today.weekday())


def _check(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise StoryBroken(otherwise)


def _ids(page: Any) -> list[str]:
    return [order["id"] for order in page["items"]]


def _order(answer: httpx2.Response) -> str:
    order = answer.json()
    return f"{order['number']} {order['kind_name']}: {order['state']}"


def _last_action(answer: httpx2.Response) -> str:
    last = answer.json()["history"][-1]
    return f"{last['action']} by {last['actor_name']}"


def _page(answer: httpx2.Response) -> str:
    return f"{len(answer.json()['items'])} orders, newest first"


def _address(answer: httpx2.Response) -> str:
    details = answer.json()["details"]
    return f"{details['address']}, {details['contact_name']}"


def _file(answer: httpx2.Response) -> str:
    file = answer.json()
    return f"{file['media_type']}, {file['width']}×{file['height']}"


def _exif(answer: httpx2.Response) -> str:
    position = "still says where" if tells_where(answer.content) else "position and camera are gone"
    return f"{len(answer.content):,} bytes, {position}"


def _replayed(answer: httpx2.Response) -> str:
    return "the same answer" + (" (replayed)" if answer.headers.get("Idempotency-Replayed") == "true" else "")
