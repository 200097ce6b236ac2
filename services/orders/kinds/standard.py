"""The kinds of order a district starts with. What it offers after that is its own affair."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StandardKind:
    """`is_paid_work`: usually done by whose trade it is (property company, utility), so that it earns no points."""

    id: str
    name: str
    category: str
    evidence_required: int = 1
    is_paid_work: bool = False


STANDARD_KINDS = [
    StandardKind("buy_medicine", "代购药品", "便民服务"),
    StandardKind("home_appliance_repair", "家电维修", "便民服务"),
    StandardKind("water_pressure", "水压不稳", "公共设施", is_paid_work=True),
    StandardKind("stairwell_clutter", "楼道脏乱", "环境卫生"),
    StandardKind("charging_pile", "充电桩", "公共设施", is_paid_work=True),
    StandardKind("drying_rack", "晾衣架", "公共设施", is_paid_work=True),
    StandardKind("greenery_trimming", "绿化修剪", "环境卫生", is_paid_work=True),
    StandardKind("road_repair", "道路维修", "公共设施", is_paid_work=True),
    StandardKind("uncivil_dog_keeping", "不文明养犬", "文明劝导"),
    StandardKind("property_service", "物业服务", "物业维修", is_paid_work=True),
    StandardKind("greenery_destroyed", "毁绿种菜", "环境卫生"),
    StandardKind("private_wiring", "私拉电线", "安全隐患"),
    StandardKind("micro_wish", "微心愿", "微心愿", evidence_required=0),
    StandardKind("corridor_light", "楼道照明", "公共设施", is_paid_work=True),
    StandardKind("pipe_unblocking", "管道疏通", "便民服务"),
    StandardKind("haircut_at_home", "上门理发", "便民服务"),
    StandardKind("errand", "代办跑腿", "便民服务"),
    StandardKind("phone_lessons", "手机教学", "便民服务"),
    StandardKind("snow_clearing", "铲雪除冰", "公共设施", evidence_required=2),
]
STANDARD_KIND = {kind.id: kind for kind in STANDARD_KINDS}
