"""What there is to work with in the demo district: eight pairing agreements, other resources, who offers what."""

from collections.abc import Iterator
from datetime import date
from random import Random

from demo.accounts import Account
from demo.ids import FOUNDED_AT, fixed_id
from demo.names import pick_mobile_number
from demo.personas import PERSONA
from demo.places import Places
from demo.rows import Row, Tables, owned
from demo.staff import Staff
from demo.tiling import Position
from demo.units import TEAM
from models.matching import ResourceKind
from models.orders import UnitKind
from services.orders.kinds.standard import STANDARD_KIND

SKILLS = ("理发", "电工", "家电维修", "手机教学", "急救", "心理疏导", "书法", "调解")
KIND_SKILLS = {
    "haircut_at_home": ("理发", True),
    "home_appliance_repair": ("家电维修", True),
    "phone_lessons": ("手机教学", False),
}
"""By kind of order: the skill it asks for, and whether nobody is sent without it."""

_PAIRED = {
    "区人民医院": "每季度到社区义诊，为行动不便的居民上门问诊",
    "源城区实验小学": "寒暑假为社区儿童开办书法和阅读课堂",
    "市供水公司": "优先处理社区供水诉求，每年检查一次老旧管网",
    "区市场监管局": "每半年开展一次食品安全和防骗宣讲",
    "农业银行源城支行": "为老年居民提供手机银行使用辅导",
    "区司法局": "每月安排律师到社区提供法律咨询",
    "市供电局": "冬夏用电高峰前排查楼道线路",
    "河源职业技术学院": "学生志愿者每周末陪伴独居老人",
}
"""The eight organisations of the pairing agreements (结对共建), and what each has agreed to."""
_THINGS = (
    (ResourceKind.VENUE, "社区多功能厅", 1, "间", [[day, "09:00", "21:00"] for day in range(1, 8)]),
    (ResourceKind.VENUE, "邻里小屋", 2, "间", [[day, "08:30", "17:30"] for day in range(1, 6)]),
    (ResourceKind.EQUIPMENT, "折叠轮椅", 4, "辆", None),
    (ResourceKind.EQUIPMENT, "应急手电", 20, "把", None),
    (ResourceKind.GOODS, "爱心雨伞", 60, "把", None),
    (ResourceKind.GOODS, "急救包", 12, "个", None),
)
_HOURS = (
    None,
    [[6, "09:00", "12:00"], [7, "09:00", "12:00"]],
    [[day, "18:30", "21:00"] for day in range(1, 6)],
    [[day, "08:30", "17:30"] for day in range(1, 6)],
)


def matching_rows(places: Places, staff: Staff) -> Tables:
    """To be there after the units and the kinds of orders."""
    return {
        "helper_profiles": owned(_profiles(places, staff)),
        "order_kind_skills": owned(_skills()),
        "resources": owned(_resources(places, staff)),
    }


def paired_units(places: Places) -> Iterator[Row]:
    """The organisations of the agreements. Nobody of theirs takes orders."""
    random = Random("linli-demo:paired-units")
    for name in _PAIRED:
        yield {
            "id": fixed_id("unit", name),
            "kind": UnitKind.ORGANIZATION,
            "name": name,
            "area_id": places.community.id,
            "phone": pick_mobile_number(random),
            "created_at": FOUNDED_AT,
        }


def _profiles(places: Places, staff: Staff) -> Iterator[Row]:
    """Most have said what they offer, half of them where they start from: near some building."""
    random = Random("linli-demo:helper-profiles")
    for helper in staff.helpers:
        if random.random() < 0.8:
            yield _profile(helper, random.choice(places.buildings).centre, random)


def _profile(helper: Account, near: Position, random: Random) -> Row:
    says_where = random.random() < 0.5
    return {
        "account_id": helper.id,
        "skills": sorted(random.sample(SKILLS, random.randint(0, 3))),
        "hours": random.choice(_HOURS),
        "max_open": random.choice((2, 3, 5, 5, 8)),
        "lng": round(near[0] + random.random() / 1000, 6) if says_where else None,
        "lat": round(near[1] + random.random() / 1000, 6) if says_where else None,
        "updated_at": FOUNDED_AT,
    }


def _skills() -> Iterator[Row]:
    return (
        {"order_kind": STANDARD_KIND[kind].id, "skill": skill, "is_needed": is_needed}
        for kind, (skill, is_needed) in KIND_SKILLS.items()
    )


def _resources(places: Places, staff: Staff) -> Iterator[Row]:
    common: Row = {
        "area_id": places.community.id,
        "valid_from": FOUNDED_AT.date(),
        "version": 1,
        "recorded_by": PERSONA["dispatcher"].account_id,
        "recorded_at": FOUNDED_AT,
        "updated_at": FOUNDED_AT,
    }
    for unit, promised in _PAIRED.items():
        yield {
            "id": fixed_id("resource", unit),
            "kind": ResourceKind.AGREEMENT,
            "name": f"{unit}结对共建协议",
            "owner_unit_id": fixed_id("unit", unit),
            "owner_account_id": None,
            "quantity": None,
            "measure": None,
            "hours": None,
            "valid_until": date(2028, 12, 31),
            "note": promised,
            **common,
        }
    for kind, name, quantity, measure, hours in _THINGS:
        yield {
            "id": fixed_id("resource", name),
            "kind": kind,
            "name": name,
            "owner_unit_id": staff.unit(TEAM).id,
            "owner_account_id": None,
            "quantity": quantity,
            "measure": measure,
            "hours": hours,
            "valid_until": None,
            "note": None,
            **common,
        }
