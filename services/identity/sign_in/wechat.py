"""WeChat's side of signing in: a code of `wx.login` becomes an openid (`auth.code2Session`)."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, ClassVar, Self, TypeVar

import httpx2
import msgspec

from services.chassis.errors import Problem
from services.chassis.settings import Settings

logger = logging.getLogger(__name__)

# httpx2 logs whole addresses at INFO, and WeChat wants the app's secret and the user's code in the address.
logging.getLogger("httpx2").setLevel(logging.WARNING)

TIMEOUT_SECONDS = 5.0
PARALLEL = 100


class WechatCodeInvalid(Problem):
    status = 401
    code = "wechat_code_invalid"
    zh = "微信登录凭证无效或已使用，请重新打开小程序再试。"
    en = "The WeChat code is invalid, expired or used. Call wx.login again."


class WechatTooFrequent(Problem):
    status = 429
    code = "wechat_too_frequent"
    zh = "微信登录过于频繁，请一分钟后再试。"
    en = "WeChat asks this user to slow down; please try again in a minute."
    headers: ClassVar[dict[str, str]] = {"Retry-After": "60"}


class WechatUserBlocked(Problem):
    status = 403
    code = "wechat_user_blocked"
    zh = "微信判定该用户存在风险，暂不能登录。"
    en = "WeChat considers this user a risk and refuses the sign-in."


class WechatUnavailable(Problem):
    status = 503
    code = "wechat_unavailable"
    zh = "暂时无法连接微信，请稍后重试。"
    en = "WeChat could not be asked; please try again."
    headers: ClassVar[dict[str, str]] = {"Retry-After": "2"}


class WechatNotSetUp(Problem):
    status = 404
    code = "wechat_not_set_up"
    zh = "此处未开通微信登录。"
    en = "Signing in with WeChat is not set up here."


REFUSALS: dict[int, type[Problem]] = {
    40029: WechatCodeInvalid,
    40163: WechatCodeInvalid,
    45011: WechatTooFrequent,
    40226: WechatUserBlocked,
}
"""By WeChat's errcode. Any other (-1 busy, 40013 and 40125 our own set-up) is WechatUnavailable, and logged."""


class WechatUser(msgspec.Struct, frozen=True):
    """Who the code belongs to. WeChat also sends a `session_key`, which we have no use for: it is dropped unread."""

    openid: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,128}\Z")]
    unionid: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,128}\Z")] | None = None


class _Refusal(msgspec.Struct):
    errcode: int = 0


class WechatClient:
    """Asks WeChat as one mini-program."""

    def __init__(self, http: httpx2.AsyncClient, *, app_id: str, app_secret: str) -> None:
        self.app_id = app_id
        self._http = http
        self._app_secret = app_secret

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: Settings) -> AsyncIterator[Self]:
        """A client of `settings.wechat_base_url`, closed on leaving. A proxy is used for the real WeChat only."""
        async with httpx2.AsyncClient(
            base_url=settings.wechat_base_url,
            timeout=TIMEOUT_SECONDS,
            limits=httpx2.Limits(max_connections=PARALLEL, max_keepalive_connections=10),
            trust_env=settings.wechat_base_url.startswith("https:"),
        ) as http:
            secret = settings.wechat_app_secret.get_secret_value()
            yield cls(http, app_id=settings.wechat_app_id, app_secret=secret)

    async def user_of(self, code: str) -> WechatUser:
        """The user behind a code, which is used up. Raises one of the problems above."""
        if not self.app_id:
            raise WechatNotSetUp
        body = await self._ask(code)
        errcode = _decode(body, _Refusal).errcode
        if errcode == 0:
            return _decode(body, WechatUser)
        if errcode not in REFUSALS:
            logger.error("WeChat answered with errcode %d", errcode)
        raise REFUSALS.get(errcode, WechatUnavailable)

    async def _ask(self, code: str) -> bytes:
        query = {
            "appid": self.app_id,
            "secret": self._app_secret,
            "js_code": code,
            "grant_type": "authorization_code",
        }
        try:
            answer = await self._http.get("/sns/jscode2session", params=query)
        except httpx2.HTTPError as error:
            logger.warning("WeChat could not be reached: %s", type(error).__name__)
            raise WechatUnavailable from None
        if answer.status_code != httpx2.codes.OK:
            logger.warning("WeChat answered with status %d", answer.status_code)
            raise WechatUnavailable
        return answer.content


Decoded = TypeVar("Decoded")


def _decode(body: bytes, kind: type[Decoded]) -> Decoded:
    """WeChat sends JSON as `text/plain`."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError:
        logger.warning("WeChat answered with something else than documented")
        raise WechatUnavailable from None
