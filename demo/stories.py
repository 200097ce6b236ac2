"""Orders of the demo district that are told, not drawn: what happens to some shows what the lifecycle is for."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from random import Random
from typing import NamedTuple
from uuid import UUID

from demo.histories import PastOrder
from demo.kinds import KIND, REMARKS
from demo.people import Home, Person
from demo.personas import PERSONA, PERSONAS
from demo.staff import Staff
from demo.standing import Step, silence_closes
from demo.telling import given, sorted_as
from demo.units import HOUSING_BUREAU, TEAM
from models.orders import OrderAction, OrderStage, Priority

A = OrderAction

ICE_TASKS = ["铲坡道", "铲台阶", "撒融雪盐", "推车运盐", "摆放警示牌", "搀扶老人", "送热姜茶"]
"""Of those who came to help, one each; the lead keeps everything together."""

DUPLICATES = 4
"""Orders that still share the way of another one."""


class _Asker(NamedTuple):
    """Somebody with an account, at home."""

    person: Person
    home: Home
    account_id: UUID

    @property
    def stairwell(self) -> str:
        return self.home.dwelling.partition("单元")[0]


def tell_stories(staff: Staff, cutoff: datetime, ordinary: Sequence[PastOrder]) -> list[PastOrder]:
    """As they stood at `cutoff`. Some of the `ordinary` orders were reported twice."""
    stories = _Stories(staff, cutoff)
    told = [*stories.ice(), *stories.lamp(), stories.dog(), stories.water()]
    return [*told, *stories.duplicates(ordinary)]


class _Stories:
    def __init__(self, staff: Staff, cutoff: datetime) -> None:
        self._staff = staff
        self._cutoff = cutoff
        self._dispatcher = staff.dispatchers[0].id
        self._askers = list(_askers(staff))

    def ice(self) -> Iterator[PastOrder]:
        """One morning eight people clear the ice; a second report of it goes the same way. Nobody has rated it yet."""
        at = self._clock(days_ago=2)
        lead = PERSONA["member"].account_id
        helpers = [member.id for member in self._staff.unit(TEAM).members[: len(ICE_TASKS)]]
        asker, other = [asker for asker in self._askers if asker.home.compound.name == "槎城新苑"][:2]
        kind = KIND["snow_clearing"]
        stated = [{"account_id": str(helper), "minutes": 95 + 5 * number} for number, helper in enumerate(helpers)]
        steps = [
            Step(A.PLACE, asker.account_id, at("06:52:10")),
            Step(A.TRIAGE, self._dispatcher, at("06:57:31")),
            Step(A.DISPATCH, self._dispatcher, at("06:58:02"), "请带铁锹，融雪盐在社区门口领。", given()),
            Step(A.ACCEPT, lead, at("07:00:19")),
            *(
                Step(A.JOIN, helper, at(f"07:{2 + 2 * number:02}:43"), None, {"task": task})
                for number, (helper, task) in enumerate(zip(helpers, ICE_TASKS, strict=True))
            ),
            Step(A.START, lead, at("07:25:05")),
            Step(A.COMPLETE, lead, at("09:40:48"), kind.cases[0].done, {"minutes": 130, "helpers": stated}),
            Step(A.VERIFY, self._dispatcher, at("10:15:20"), "现场看过，通道已干。"),
        ]
        main = PastOrder("ice", kind, asker.home, asker.person, kind.cases[0].asked, steps)
        yield main
        twice = [Step(A.PLACE, other.account_id, at("07:11:36")), self._merged(main, at("07:14:09"))]
        twice.append(Step(A.FOLLOW, None, at("10:15:20")))
        said = "小区门口结冰了，刚才差点滑倒，能不能派人来处理一下？"
        yield PastOrder("ice-again", kind, other.home, other.person, said, twice, main=main)

    def lamp(self) -> Iterator[PastOrder]:
        """Two neighbours report the same lamp; it is mended once, and each of them answers for themselves."""
        first, second = self._two_of_one_stairwell()
        company = self._staff.unit(self._staff.company_of[first.home.compound.code].name)
        worker, at, kind = company.workers[0].id, self._clock(days_ago=9), KIND["corridor_light"]
        place = f"{first.stairwell}单元"
        steps = [
            Step(A.PLACE, first.account_id, at("18:41:07")),
            Step(A.TRIAGE, self._dispatcher, at("19:02:44")),
            Step(A.DISPATCH, self._dispatcher, at("19:03:30"), None, given(unit_id=company.id)),
            Step(A.ACCEPT, worker, at("19:20:15")),
            Step(A.START, worker, at("08:31:02", 1)),
            Step(A.COMPLETE, worker, at("09:05:50", 1), "灯泡和声控开关都换了，晚上试过。"),
            Step(A.VERIFY, self._dispatcher, at("09:48:12", 1)),
            Step(A.RATE, first.account_id, at("19:30:26", 1), "当天就修好了，谢谢。", {"stars": 5, "solved": True}),
        ]
        steps += silence_closes(steps, self._cutoff)
        said = f"{place}进门的声控灯不亮，晚上看不见台阶。"
        main = PastOrder("lamp", kind, first.home, first.person, said, steps)
        yield main
        twice = [
            Step(A.PLACE, second.account_id, at("19:36:55")),
            Step(A.TRIAGE, self._dispatcher, at("19:44:20")),
            self._merged(main, at("19:45:01")),
            Step(A.FOLLOW, None, at("09:48:12", 1)),
            Step(A.RATE, second.account_id, at("20:12:37", 1), "亮了。", {"stars": 5, "solved": True}),
        ]
        twice += silence_closes(twice, self._cutoff, main.standing)
        said = f"{place}楼道灯坏了，老人晚上倒垃圾不方便。"
        yield PastOrder("lamp-again", kind, second.home, second.person, said, twice, main=main)

    def dog(self) -> PastOrder:
        """Talking to the owner once was not enough: the resident says so, and it is done again."""
        asker = next(asker for asker in self._askers if asker.home.compound.name == "锦绣苑")
        worker = self._staff.grid_worker_of[asker.home.compound.code].id
        at, kind, unsolved = self._clock(days_ago=9), KIND["uncivil_dog_keeping"], "说过之后还是不拴绳，昨晚又碰到。"
        steps = [
            Step(A.PLACE, asker.account_id, at("20:22:14")),
            Step(A.TRIAGE, self._dispatcher, at("08:05:33", 1)),
            Step(A.DISPATCH, self._dispatcher, at("08:06:20", 1), "请先了解是哪一户。", given(worker)),
            Step(A.ACCEPT, worker, at("08:40:58", 1)),
            Step(A.START, worker, at("18:30:11", 1)),
            Step(A.COMPLETE, worker, at("19:10:25", 1), "已找到狗主人并上门劝导。"),
            Step(A.RATE, asker.account_id, at("20:47:09", 3), unsolved, {"stars": 2, "solved": False}),
            Step(A.REDO, None, at("20:47:09", 3), unsolved),
            Step(A.START, worker, at("19:02:40", 4)),
            Step(
                A.COMPLETE, worker, at("20:15:51", 6), "联合物业和楼长再次上门，签了文明养犬承诺，连续三晚巡查已拴绳。"
            ),
            Step(A.VERIFY, self._dispatcher, at("09:12:04", 7), "电话回访狗主人邻居，情况属实。"),
            Step(A.RATE, asker.account_id, at("19:58:32", 7), "这几天都拴绳了。", {"stars": 4, "solved": True}),
        ]
        return PastOrder("dog", kind, asker.home, asker.person, "有人晚上遛大狗不拴绳，孩子吓得不敢下楼。", steps)

    def water(self) -> PastOrder:
        """The pump needs a part that has to be ordered: shelved until it is there, and its clocks stand still."""
        asker = next(asker for asker in self._askers if asker.home.compound.name == "永安花园")
        company = self._staff.unit(self._staff.company_of[asker.home.compound.code].name)
        bureau = self._staff.unit(HOUSING_BUREAU)
        worker, at, kind = company.workers[0].id, self._clock(days_ago=8), KIND["water_pressure"]
        until = self._cutoff + timedelta(days=5, hours=10)
        assisting = given(unit_id=company.id, assisting_unit_ids=[str(bureau.id)])
        steps = [
            Step(A.PLACE, asker.account_id, at("19:15:42")),
            Step(A.TRIAGE, self._dispatcher, at("08:20:05", 1), None, sorted_as(kind, Priority.HIGH)),
            Step(A.DISPATCH, self._dispatcher, at("08:24:31", 1), "请住建局一并指导二次供水检修。", assisting),
            Step(A.ACCEPT, worker, at("09:02:17", 1)),
            Step(A.START, worker, at("14:10:39", 1)),
            Step(
                A.SHELVE, self._dispatcher, at("16:45:28", 1), "加压泵控制板需厂家发货，到货后恢复办理。",
                {"until": until.isoformat()},
            ),
        ]  # fmt: skip
        said = "整栋楼晚上水压都不够，六楼以上洗澡出不来水。"
        return PastOrder("water", kind, asker.home, asker.person, said, steps)

    def duplicates(self, ordinary: Sequence[PastOrder]) -> Iterator[PastOrder]:
        """A neighbour reports what somebody else is at work on already."""
        random = Random("linli-demo:duplicates")
        outside = {"corridor_light", "water_pressure", "charging_pile", "property_service", "road_repair"}
        mains = (o for o in ordinary if o.standing.stage is OrderStage.HANDLE and o.kind.id in outside)
        told = 0
        for main in mains:
            placed_at = main.placed_at + timedelta(minutes=random.randint(20, 50), seconds=random.randrange(60))
            merged_at = placed_at + timedelta(minutes=random.randint(8, 25), seconds=random.randrange(60))
            neighbours = [asker for asker in self._askers if self._may_report(asker, main)]
            if told < DUPLICATES and neighbours and merged_at < self._cutoff and merged_at.hour < 21:
                asker = random.choice(neighbours)
                steps = [Step(A.PLACE, asker.account_id, placed_at), self._merged(main, merged_at)]
                said = f"同一处问题，{asker.home.building.name}这边也受影响，请一起处理：{main.description}"
                yield PastOrder(f"duplicate-{told}", main.kind, asker.home, asker.person, said, steps, main=main)
                told += 1

    def _may_report(self, asker: _Asker, main: PastOrder) -> bool:
        involved = {step.actor_id for step in main.steps} | {main.resident.account_id}
        return asker.home.compound is main.home.compound and asker.account_id not in involved

    def _merged(self, main: PastOrder, at: datetime) -> Step:
        return Step(A.MERGE, self._dispatcher, at, REMARKS.merged[0], {"into_id": str(main.id)})

    def _two_of_one_stairwell(self) -> tuple[_Asker, _Asker]:
        """Neighbours in a compound that has a property company."""
        served = [asker for asker in self._askers if asker.home.compound.code in self._staff.company_of]
        served.sort(key=_door)
        for _, neighbours in groupby(served, key=_door):
            first, *others = neighbours
            if others and others[0].home is not first.home:
                return first, others[0]
        raise LookupError("no two neighbours have accounts")

    def _clock(self, *, days_ago: int) -> "_Clock":
        return _Clock(self._cutoff - timedelta(days=days_ago))


class _Clock:
    """Times of day, on the day it began or so many days later."""

    def __init__(self, midnight: datetime) -> None:
        self._midnight = midnight

    def __call__(self, time_of_day: str, days_later: int = 0) -> datetime:
        hours, minutes, seconds = map(int, time_of_day.split(":"))
        return self._midnight + timedelta(days=days_later, hours=hours, minutes=minutes, seconds=seconds)


def _askers(staff: Staff) -> Iterator[_Asker]:
    """Residents with accounts who neither serve nor are known by name."""
    serving = {grant.account.id for grant in staff.grants} | {persona.account_id for persona in PERSONAS}
    for account_id, person in staff.people.by_account.items():
        if account_id not in serving:
            yield _Asker(person, staff.people.home_of[person.key], account_id)


def _door(asker: _Asker) -> tuple[str, str]:
    return asker.home.building.code, asker.stairwell
