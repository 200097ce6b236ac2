"""The people of the demo district one can sign in as: by persona, by the fake WeChat, staff also by password."""

from dataclasses import dataclass
from uuid import UUID

from demo.ids import fixed_id

WECHAT_APP_ID = "wx-demo-linli"

DEMO_PASSWORD = "Linli-demo-2026"
"""The password of every persona that has a username. It is published here and exists only in the demo district."""

DEMO_PASSWORD_HASH = "$argon2id$v=19$m=65536,t=3,p=4$uaPccrmxsRZbL+IfDKESxQ$bG1kYRkn7uQ9V5YuUbp0f5P6UXEBy7cXFvxlL9JfkZ0"
"""argon2id of `DEMO_PASSWORD`, computed once: hashing at every build would cost more than the rest of it."""


@dataclass(frozen=True, slots=True)
class Persona:
    """One person to sign in as. `username` is set for staff, who also sign in with `DEMO_PASSWORD`."""

    key: str
    name: str
    role_label: str
    area_label: str
    account_id: UUID
    note: str
    username: str | None = None

    @property
    def openid(self) -> str:
        """Who they are to the mini-program `WECHAT_APP_ID` of the fake WeChat."""
        return f"demo-openid-{self.key}"


def account_id_of(key: str) -> UUID:
    """The account id of the demo account with this key; personas' keys are their own."""
    return fixed_id("account", key)


def _persona(key: str, name: str, role: str, area: str, note: str, username: str | None = None) -> Persona:
    return Persona(key, name, role, area, account_id_of(key), note, username)


PERSONAS = [
    _persona("zhang", "张德明", "居民", "万隆一品小区3栋2单元502", "Mr Zhang, born 1946: orders his week's medicine"),
    _persona("daughter", "张丽华", "居民", "康乐花园2栋1单元301", "his daughter: orders for him as family"),
    _persona("neighbour", "赖桂英", "居民", "万隆一品小区3栋2单元501", "lives next door: sees nothing of his orders"),
    _persona("dispatcher", "李晓燕", "派单员", "康乐路南社区", "dispatches the community's orders", "demo-dispatcher"),
    _persona("member", "陈志强", "在册党员", "康乐路南社区", "takes and does orders, earns points"),
    _persona("second_member", "黄秀芳", "在职党员", "康乐路南社区", "comes second when two accept one order"),
    _persona("grid_worker", "刘伟民", "网格员", "万隆一品小区", "orders for residents at the door", "demo-grid-worker"),
    _persona("community_admin", "曾国平", "社区管理员", "康乐路南社区", "runs the community", "demo-community-admin"),
    _persona("points_clerk", "谢婷婷", "积分管理员", "康乐路南社区", "keeps the points", "demo-points-clerk"),
    _persona("district_admin", "叶文峰", "区管理员", "源城区", "runs the district", "demo-district-admin"),
    _persona(
        "deputy_admin", "何淑珍", "区管理员", "源城区", "the second person where two are needed", "demo-deputy-admin"
    ),
]

PERSONA = {persona.key: persona for persona in PERSONAS}
