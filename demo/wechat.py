"""A fake WeChat: the part of api.weixin.qq.com that signing in needs, with its habits and error codes.

Like the real one it answers HTTP 200 as `text/plain` whatever happened, and says in `errcode` what did.
Two control routes stand in for what happens on a phone and inside WeChat:

- `POST /_fake/login {"openid": "demo-openid-zhang"}` → `{"code": "…"}`: what `wx.login` gives to that user.
- `POST /_fake/fail {"errcode": 45011, "times": 2}`: how the next calls of jscode2session end. Instead of an `errcode`
  there may be a `status` (a broken gateway's HTML page) or a `body` (sent as it is). `delay_seconds` delays them.
"""

import asyncio
import base64
import secrets
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.personas import WECHAT_APP_ID
from services.chassis import clock

WECHAT_APP_SECRET = "demo-wechat-secret"

CODE_LIFETIME = timedelta(minutes=5)
CALLS_PER_USER_AND_MINUTE = 100

ERRMSG = {
    -1: "system error",
    40002: "invalid grant_type",
    40013: "invalid appid",
    40029: "invalid code",
    40125: "invalid appsecret",
    40163: "code been used",
    40226: "code blocked",
    41002: "appid missing",
    41004: "appsecret missing",
    41008: "missing code",
    45011: "api minute-quota reach limit  mustslower  retry next minute",
}


class Login(msgspec.Struct, forbid_unknown_fields=True):
    """Who opens the mini-program. `unionid` is known where the app is bound to an open platform account."""

    openid: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    unionid: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None = None


class Failure(msgspec.Struct, forbid_unknown_fields=True):
    """How the next `times` calls of jscode2session end. With nothing but a delay they end well, only late."""

    errcode: int | None = None
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    body: str | None = None
    delay_seconds: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    times: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1


class Refused(Exception):
    """An answer with an `errcode`."""

    def __init__(self, errcode: int) -> None:
        super().__init__(errcode)
        self.errcode = errcode


@dataclass(slots=True)
class _Code:
    login: Login
    issued_at: datetime
    is_used: bool = False


@dataclass(slots=True)
class _Wechat:
    """What the fake remembers: the codes it gave, the calls of each user, the failures to come."""

    app_id: str
    app_secret: str
    codes: dict[str, _Code] = field(default_factory=dict)
    calls: dict[str, deque[datetime]] = field(default_factory=dict)
    failures: deque[Failure] = field(default_factory=deque)

    def issue(self, login: Login) -> str:
        moment = clock.now()
        self.codes = {text: code for text, code in self.codes.items() if moment < code.issued_at + CODE_LIFETIME}
        code = secrets.token_hex(16)
        self.codes[code] = _Code(login, moment)
        return code

    def exchange(self, query: dict[str, str]) -> dict[str, str]:
        """The session of the user behind a code. Raises Refused; a refused call leaves the code as it was."""
        code = self._code(query)
        self._count_call(code.login.openid)
        code.is_used = True
        session = {"session_key": base64.b64encode(secrets.token_bytes(16)).decode(), "openid": code.login.openid}
        return session | ({"unionid": code.login.unionid} if code.login.unionid else {})

    def _code(self, query: dict[str, str]) -> _Code:
        self._check_app(query)
        if not query.get("js_code"):
            raise Refused(41008)
        if query.get("grant_type") != "authorization_code":
            raise Refused(40002)
        code = self.codes.get(query["js_code"])
        if code is None or clock.now() >= code.issued_at + CODE_LIFETIME:
            raise Refused(40029)
        if code.is_used:
            raise Refused(40163)
        return code

    def _check_app(self, query: dict[str, str]) -> None:
        if not query.get("appid"):
            raise Refused(41002)
        if not query.get("secret"):
            raise Refused(41004)
        if query["appid"] != self.app_id:
            raise Refused(40013)
        if query["secret"] != self.app_secret:
            raise Refused(40125)

    def _count_call(self, openid: str) -> None:
        moment = clock.now()
        calls = self.calls.setdefault(openid, deque())
        while calls and calls[0] <= moment - timedelta(minutes=1):
            calls.popleft()
        if len(calls) >= CALLS_PER_USER_AND_MINUTE:
            raise Refused(45011)
        calls.append(moment)


def create_app(*, app_id: str = WECHAT_APP_ID, app_secret: str = WECHAT_APP_SECRET) -> Starlette:
    """The fake as an ASGI app. Knows one mini-program; codes work once and live five minutes by the chassis clock."""
    wechat = _Wechat(app_id, app_secret)
    return Starlette(
        routes=[
            Route("/sns/jscode2session", partial(_jscode2session, wechat), methods=["GET"]),
            Route("/_fake/login", partial(_login, wechat), methods=["POST"]),
            Route("/_fake/fail", partial(_fail, wechat), methods=["POST"]),
        ],
        exception_handlers={msgspec.MsgspecError: _bad_control_request},
    )


async def _jscode2session(wechat: _Wechat, request: Request) -> Response:
    failure = wechat.failures.popleft() if wechat.failures else Failure()
    await asyncio.sleep(failure.delay_seconds)
    if failure.status is not None:
        return Response("<html><body>Bad Gateway</body></html>", failure.status, {"content-type": "text/html"})
    if failure.body is not None:
        return Response(failure.body, headers=_PLAIN)
    try:
        if failure.errcode is not None:
            raise Refused(failure.errcode)
        answer: dict[str, object] = {**wechat.exchange(dict(request.query_params))}
    except Refused as refused:
        answer = {"errcode": refused.errcode, "errmsg": _errmsg(refused.errcode)}
    return Response(msgspec.json.encode(answer), headers=_PLAIN)


async def _login(wechat: _Wechat, request: Request) -> Response:
    login = msgspec.json.decode(await request.body(), type=Login)
    return JSONResponse({"code": wechat.issue(login)})


async def _fail(wechat: _Wechat, request: Request) -> Response:
    failure = msgspec.json.decode(await request.body(), type=Failure)
    wechat.failures.extend([failure] * failure.times)
    return JSONResponse({"queued": len(wechat.failures)})


async def _bad_control_request(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 422)


def _errmsg(errcode: int) -> str:
    """As WeChat words it, with the request id it appends."""
    rid = "-".join(secrets.token_hex(4) for _ in range(3))
    return f"{ERRMSG.get(errcode, 'unknown error')}, rid: {rid}"


_PLAIN = {"content-type": "text/plain"}
