"""The kinds of order a district starts with: what each asks, whom it is for, and what is promised for it.

What a district offers after that is its own affair.
"""

from dataclasses import dataclass
from typing import Any

from models.clocks import ClockTarget, ClockUnit
from models.identity import Role
from models.orders import Priority, Visibility
from services.orders.clocks.schemas import Escalation, PromisedTarget
from services.orders.kinds.forms import Choice, Question, QuestionType

Targets = dict[ClockTarget, PromisedTarget]

HOURS, WORK_HOURS, WORK_DAYS = ClockUnit.CALENDAR_HOURS, ClockUnit.WORK_HOURS, ClockUnit.WORK_DAYS


def _promised(**targets: tuple[int, ClockUnit]) -> Targets:
    """Warned at a fifth of the time. Who answers for the community is told of a finish that is missed, else its
    dispatchers."""
    return {
        ClockTarget(target): PromisedTarget(
            amount=amount,
            unit=unit,
            warn_percent=20,
            escalate_to=Escalation(role=Role.COMMUNITY_ADMIN if target == "finish" else Role.DISPATCHER),
        )
        for target, (amount, unit) in targets.items()
    }


DANGER = _promised(dispatch=(1, HOURS), accept=(1, HOURS), arrive=(2, HOURS), finish=(24, HOURS))
"""Life and property: somebody is there within two hours of accepting, at any time of the day."""
UTILITIES = _promised(dispatch=(2, HOURS), accept=(2, HOURS), arrive=(12, HOURS), finish=(24, HOURS))
"""Water, power, gas, heat."""
ORDINARY = _promised(dispatch=(2, WORK_HOURS), accept=(4, WORK_HOURS), arrive=(2, WORK_DAYS), finish=(7 * 24, HOURS))
COMPLEX = _promised(dispatch=(2, WORK_HOURS), accept=(1, WORK_DAYS), arrive=(3, WORK_DAYS), finish=(15 * 24, HOURS))
"""What needs other departments, material or much talking."""
AT_HOME = _promised(dispatch=(2, WORK_HOURS), accept=(4, WORK_HOURS), finish=(3, WORK_DAYS))
"""Help at home: when somebody comes is agreed with them."""
WISH = _promised(dispatch=(1, WORK_DAYS), accept=(3, WORK_DAYS), finish=(15, WORK_DAYS))


@dataclass(frozen=True, slots=True)
class StandardKind:
    """`is_paid_work`: usually done by whose trade it is (property company, utility), so that it earns no points.

    `targets` None: the policy for every kind without one of its own (ORDINARY).
    """

    id: str
    name: str
    category: str
    description: str
    questions: list[Question]
    evidence_required: int = 1
    is_paid_work: bool = False
    is_public: bool = False
    """About a place everybody uses: the community may see it."""
    priority: Priority = Priority.NORMAL
    helpers_wanted: int = 1
    allows_anonymous: bool = False
    targets: Targets | None = None

    def columns(self) -> dict[str, Any]:
        """Of its row in order_kinds, with the first version of its form in force."""
        return {
            "id": self.id,
            "name": self.name,
            "category": self.category,
            "description": self.description,
            "evidence_required": self.evidence_required,
            "default_priority": self.priority.value,
            "default_visibility": (Visibility.COMMUNITY if self.is_public else Visibility.PRIVATE).value,
            "helpers_wanted": self.helpers_wanted,
            "allows_anonymous": self.allows_anonymous,
            "form_version": 1,
            "position": 10 * list(STANDARD_KIND).index(self.id),
        }

    def form(self) -> list[dict[str, Any]]:
        """Its questions as order_kind_forms keeps them."""
        return [question.model_dump(mode="json") for question in self.questions]


def _ask(name: str, label: str, kind: QuestionType, **more: Any) -> Question:
    return Question(id=name, label=label, type=kind, **more)


def _text(name: str, label: str, **more: Any) -> Question:
    return _ask(name, label, QuestionType.TEXT, **{"max": 200, **more})


def _number(name: str, label: str, least: int, most: int, **more: Any) -> Question:
    """Counted: metres and yuan are asked for in whole ones too."""
    return _ask(name, label, QuestionType.NUMBER, min=least, max=most, whole=True, **more)


def _yes_no(name: str, label: str, **more: Any) -> Question:
    return _ask(name, label, QuestionType.BOOLEAN, **more)


def _day(name: str, label: str, **more: Any) -> Question:
    return _ask(name, label, QuestionType.DATE, **more)


def _one_of(name: str, label: str, offered: dict[str, str], **more: Any) -> Question:
    return _ask(name, label, QuestionType.CHOICE, choices=_choices(offered), **more)


def _some_of(name: str, label: str, offered: dict[str, str], **more: Any) -> Question:
    return _ask(name, label, QuestionType.CHOICES, choices=_choices(offered), **more)


def _choices(offered: dict[str, str]) -> list[Choice]:
    return [Choice(id=name, label=label) for name, label in offered.items()]


STANDARD_KINDS = [
    StandardKind(
        "buy_medicine", "代购药品", "便民服务", "行动不便的居民请人代买或代取药品，药费凭小票结清。",
        [
            _text("medicines", "药名和数量", max=500, help="不清楚药名时，可拍旧药盒上传。"),
            _yes_no("has_prescription", "是否有处方或取药单"),
            _text("pharmacy", "指定药店或卫生服务站", max=60),
            _one_of(
                "payment", "药费怎么付",
                {"cash": "上门给现金", "transfer": "送到后转账", "insurance_card": "用社保卡", "paid": "已付款"},
            ),
            _yes_no("needs_cold_bag", "是否需要冷藏", help="如胰岛素。"),
        ],
        targets=AT_HOME,
    ),
    StandardKind(
        "home_appliance_repair", "家电维修", "便民服务", "家用电器小毛病，由会修的邻居上门看看；配件费自理。",
        [
            _one_of(
                "appliance", "什么电器",
                {
                    "washing_machine": "洗衣机", "fridge": "冰箱", "television": "电视", "rice_cooker": "电饭煲",
                    "water_heater": "热水器", "range_hood": "抽油烟机", "fan": "风扇", "air_conditioner": "空调",
                    "other": "其他",
                },
                required=True,
            ),
            _text("brand_and_model", "品牌和型号", max=60),
            _number("age_years", "用了几年", 0, 40),
            _yes_no("smells_or_sparks", "是否有焦味、冒火花或漏电", help="有的话请先断电。"),
        ],
        targets=AT_HOME,
    ),
    StandardKind(
        "water_pressure", "水压不稳", "公共设施", "水小、停水、水压忽大忽小。",
        [
            _number("floor", "住几楼", -3, 60, required=True),
            _one_of(
                "when", "什么时候水小",
                {
                    "always": "全天", "morning": "早上", "evening": "晚上", "irregular": "时有时无",
                    "no_water": "完全没水",
                },
                required=True,
            ),
            _day("since", "从哪天开始"),
            _yes_no("neighbours_too", "楼上楼下是否也这样"),
        ],
        is_paid_work=True, is_public=True, priority=Priority.HIGH, targets=UTILITIES,
    ),
    StandardKind(
        "stairwell_clutter", "楼道脏乱", "环境卫生", "楼道堆物、积垃圾、贴小广告。",
        [
            _text("place", "在几单元几楼", max=40, required=True),
            _some_of(
                "what", "有什么",
                {
                    "furniture": "旧家具", "cardboard": "纸皮纸箱", "bicycles": "自行车、电动车", "rubbish": "生活垃圾",
                    "adverts": "小广告", "other": "其他",
                },
            ),
            _yes_no("blocks_the_way", "是否挡住通道或消防栓"),
        ],
        is_public=True, allows_anonymous=True,
    ),
    StandardKind(
        "charging_pile", "充电桩", "公共设施", "充电桩、充电棚坏了、不够用，或希望新装。",
        [
            _one_of(
                "matter", "什么事", {"broken": "坏了", "too_few": "不够用", "new": "希望新装", "price": "收费疑问"},
                required=True,
            ),
            _one_of("vehicle", "给什么车充电", {"e_bike": "电动自行车", "car": "电动汽车"}),
            _text("number", "桩号", max=30, help="贴在桩身上。"),
            _yes_no("is_dangerous", "是否有漏电、冒烟"),
        ],
        is_paid_work=True, is_public=True, targets=COMPLEX,
    ),
    StandardKind(
        "drying_rack", "晾衣架", "公共设施", "公共晾衣架损坏、松动，或希望加装。",
        [
            _one_of("matter", "什么事", {"broken": "损坏", "loose": "松动", "new": "希望加装"}, required=True),
            _text("place", "具体位置", max=60, required=True),
            _number("households", "大约几户要用", 1, 500),
        ],
        is_paid_work=True, is_public=True,
    ),
    StandardKind(
        "greenery_trimming", "绿化修剪", "环境卫生", "树枝挡光、伸到阳台、枯枝有掉落危险，草木过密。",
        [
            _text("place", "具体位置", max=60, required=True),
            _one_of(
                "why", "为什么要修剪",
                {"light": "挡光", "wires": "碰到电线", "dead_branches": "枯枝要掉", "insects": "虫害", "dense": "过密"},
                required=True,
            ),
            _number("trees", "大约几棵", 1, 200),
        ],
        is_paid_work=True, is_public=True,
    ),
    StandardKind(
        "road_repair", "道路维修", "公共设施", "小区道路、台阶、井盖破损、积水、塌陷。",
        [
            _text("place", "具体位置", max=60, required=True),
            _one_of(
                "damage", "什么问题",
                {
                    "pothole": "坑洼", "sunk": "塌陷", "manhole": "井盖损坏或缺失", "water": "积水",
                    "steps": "台阶破损", "paving": "地砖松动",
                },
                required=True,
            ),
            _yes_no("somebody_fell", "是否有人摔倒或车辆受损"),
        ],
        is_paid_work=True, is_public=True, targets=COMPLEX,
    ),
    StandardKind(
        "uncivil_dog_keeping", "不文明养犬", "文明劝导", "遛狗不牵绳、不清粪便、犬吠扰民、养大型犬。",
        [
            _some_of(
                "what", "什么情况",
                {
                    "no_leash": "不牵绳", "droppings": "不清粪便", "barking": "犬吠扰民", "large_dog": "大型犬、烈性犬",
                    "bite": "咬人、追人",
                },
                required=True,
            ),
            _text("when_and_where", "一般在什么时间、什么地方", max=100),
            _text("which_dog", "犬只特征或住处", max=100, help="知道才填，不必去打听。"),
        ],
        allows_anonymous=True, targets=COMPLEX,
    ),
    StandardKind(
        "property_service", "物业服务", "物业维修", "对保洁、保安、电梯、门禁、停车等物业服务的诉求。",
        [
            _one_of(
                "matter", "关于什么",
                {
                    "cleaning": "保洁", "security": "保安、门禁", "lift": "电梯", "parking": "停车", "fees": "收费",
                    "repairs": "公共部位维修", "attitude": "服务态度", "other": "其他",
                },
                required=True,
            ),
            _yes_no("told_company", "是否已向物业反映过"),
            _day("told_on", "哪天反映的"),
        ],
        is_paid_work=True, allows_anonymous=True,
    ),
    StandardKind(
        "greenery_destroyed", "毁绿种菜", "环境卫生", "公共绿地被占用、种菜、硬化。",
        [
            _text("place", "具体位置", max=60, required=True),
            _one_of(
                "what", "绿地被怎么了",
                {"vegetables": "种菜", "paved": "铺成硬地", "fenced": "围起来", "dumped": "堆放杂物", "felled": "砍树"},
                required=True,
            ),
            _number("square_metres", "大约多少平方米", 1, 10000),
        ],
        is_public=True, allows_anonymous=True, targets=COMPLEX,
    ),
    StandardKind(
        "private_wiring", "私拉电线", "安全隐患", "飞线充电、楼道充电、私接电线等用电安全隐患。",
        [
            _text("place", "具体位置", max=60, required=True),
            _one_of(
                "what", "什么情况",
                {
                    "flying_wire": "从窗户拉线充电", "stairwell_charging": "楼道里充电", "battery_at_home": "电池上楼",
                    "illegal_tap": "私接公共用电", "bare_wire": "电线裸露",
                },
                required=True,
            ),
            _yes_no("is_charging_now", "现在是否正在充电"),
            _yes_no("blocks_the_way", "是否挡住逃生通道"),
        ],
        is_public=True, priority=Priority.URGENT, allows_anonymous=True, targets=DANGER,
    ),
    StandardKind(
        "micro_wish", "微心愿", "微心愿", "一个小小的心愿：一件用得上的东西、一次陪伴。",
        [
            _one_of(
                "whose", "谁的心愿",
                {"elder": "老人", "child": "儿童", "disabled": "残疾人", "hardship": "困难家庭", "other": "其他"},
            ),
            _one_of(
                "what", "什么样的心愿", {"thing": "一件物品", "company": "陪伴", "learning": "学习", "other": "其他"}
            ),
            _number("yuan", "大约值多少元", 0, 2000),
        ],
        evidence_required=0, targets=WISH,
    ),
    StandardKind(
        "corridor_light", "楼道照明", "公共设施", "楼道灯不亮、常亮、声控失灵，路灯故障。",
        [
            _text("place", "在几单元几楼", max=40, required=True),
            _one_of(
                "fault", "什么问题", {"dark": "不亮", "always_on": "常亮", "flickers": "闪烁", "sensor": "声控失灵"},
                required=True,
            ),
            _number("lamps", "坏了几盏", 1, 100),
        ],
        is_paid_work=True, is_public=True, targets=UTILITIES,
    ),
    StandardKind(
        "pipe_unblocking", "管道疏通", "便民服务", "厨房、卫生间下水不畅，由会疏通的邻居上门。",
        [
            _one_of(
                "where", "哪里堵了",
                {"kitchen": "厨房", "toilet": "马桶", "shower": "地漏", "basin": "洗手池", "balcony": "阳台"},
                required=True,
            ),
            _yes_no("overflows", "是否已经往外冒水"),
            _yes_no("neighbours_too", "楼上楼下是否也堵"),
        ],
        priority=Priority.HIGH, targets=AT_HOME,
    ),
    StandardKind(
        "haircut_at_home", "上门理发", "便民服务", "为出门不便的老人、病人上门理发。",
        [
            _number("people", "几位要理发", 1, 10),
            _yes_no("in_bed", "是否卧床"),
            _text("wishes", "有什么要求", max=100),
        ],
        targets=AT_HOME,
    ),
    StandardKind(
        "errand", "代办跑腿", "便民服务", "代买日用品、代取快递、代缴费、代办手续。",
        [
            _one_of(
                "what", "办什么事",
                {"shopping": "买日用品", "parcel": "取快递", "payment": "缴费", "papers": "办手续", "other": "其他"},
                required=True,
            ),
            _text("where", "去哪里办", max=60),
            _yes_no("is_heavy", "是否有重物"),
        ],
        targets=AT_HOME,
    ),
    StandardKind(
        "phone_lessons", "手机教学", "便民服务", "教老人用手机：微信、挂号、付款、防诈骗。",
        [
            _some_of(
                "topics", "想学什么",
                {
                    "wechat": "微信聊天、视频", "hospital": "挂号看病", "payment": "付款、缴费",
                    "travel": "打车、乘车码", "photos": "拍照、照片", "fraud": "防诈骗", "other": "其他",
                },
                required=True,
            ),
            _one_of(
                "system", "什么手机", {"android": "安卓", "iphone": "苹果", "harmony": "华为鸿蒙", "unknown": "不清楚"}
            ),
        ],
        targets=AT_HOME,
    ),
    StandardKind(
        "snow_clearing", "铲雪除冰", "公共设施", "道路、台阶、坡道积雪结冰，组织邻里一起清理。",
        [
            _text("place", "从哪里到哪里", max=100),
            _some_of(
                "what", "哪些地方",
                {
                    "road": "车行道", "footpath": "人行道", "steps": "台阶", "ramp": "坡道、无障碍通道",
                    "roof_ice": "屋檐冰凌",
                },
            ),
            _yes_no("somebody_fell", "是否已有人滑倒"),
            _some_of(
                "tools_needed", "需要带什么",
                {"shovel": "铁锹", "broom": "扫帚", "salt": "融雪剂", "mats": "防滑垫"},
            ),
        ],
        evidence_required=2, is_public=True, priority=Priority.URGENT, helpers_wanted=8, targets=DANGER,
    ),
]  # fmt: skip
STANDARD_KIND = {kind.id: kind for kind in STANDARD_KINDS}


def standard_policies() -> list[tuple[str | None, dict[str, Any]]]:
    """What is promised, as clock_policies keeps it: for kinds without a policy of their own (None), then by kind."""
    promised: dict[str | None, Targets] = {None: ORDINARY}
    promised |= {kind.id: kind.targets for kind in STANDARD_KINDS if kind.targets is not None}
    return [
        (kind, {target.value: terms.model_dump(mode="json") for target, terms in targets.items()})
        for kind, targets in promised.items()
    ]
