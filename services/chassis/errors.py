"""Problems: refusals with a stable code, a status and a sentence in Chinese and English (RFC 9457)."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, ClassVar

import msgspec

from services.chassis.request_context import request_id

PROBLEM_JSON = "application/problem+json"
MOST_ERRORS = 20
LONGEST_FIELD = 60
"""Characters of a field's name: an unknown one is the sender's own text."""


class Problem(Exception):
    """Base of every refusal. Subclasses stand beside the code that raises them and are found again by `code`.

    `zh` and `en` are format strings over the keyword arguments given, which also appear as members of the body.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"
    zh: ClassVar[str] = "请求有误。"
    en: ClassVar[str] = "The request is not valid."
    headers: ClassVar[Mapping[str, str]] = {}
    keeps_effects: ClassVar[bool] = False
    """Whether what was written before it stays, as a counted failure must. Else a refused request changes nothing."""

    _by_code: ClassVar[dict[str, type["Problem"]]] = {}

    def __init__(self, **members: Any) -> None:
        super().__init__(self.code)
        self.members = members
        self.is_replayed = False
        """Whether this refusal was given before, under the request's idempotency key, and is only repeated."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        known = Problem._by_code.setdefault(cls.code, cls)
        if known.__qualname__ != cls.__qualname__:
            raise TypeError(f"{cls.__qualname__} and {known.__qualname__} share the code {cls.code}")

    @classmethod
    def of_code(cls, code: str, members: Mapping[str, Any]) -> "Problem":
        """The problem that was stored or came out of SQL as a code with its members."""
        return cls._by_code[code](**members)

    def detail(self, *, english: bool) -> str:
        return (self.en if english else self.zh).format_map(self.members)


class Unauthenticated(Problem):
    status = 401
    code = "unauthenticated"
    zh = "请先登录。"
    en = "Please sign in first."
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": "Bearer"}


class InvalidToken(Unauthenticated):
    code = "invalid_token"
    zh = "登录已失效，请重新登录。"
    en = "The access token is invalid, expired or withdrawn. Please sign in again."
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class Forbidden(Problem):
    status = 403
    code = "forbidden"
    zh = "您无权执行此操作。"
    en = "You may not do this."


class NotFound(Problem):
    """Also the answer for what lies outside the caller's scope: nobody learns that it exists."""

    status = 404
    code = "not_found"
    zh = "未找到。"
    en = "Not found."


class MethodNotAllowed(Problem):
    status = 405
    code = "method_not_allowed"
    zh = "该地址不支持此方法。"
    en = "This address does not support the method."


class BodyTooLarge(Problem):
    status = 413
    code = "body_too_large"
    zh = "请求内容过大，上限为 {limit_bytes} 字节。"
    en = "The body is too large; the limit is {limit_bytes} bytes."


class InvalidRequest(Problem):
    """A field is missing, unknown or out of its range. `errors` lists them as {field, message}."""

    status = 422
    code = "invalid_request"
    zh = "请求内容不符合要求，请检查：{fields}。"
    en = "The request does not fit its schema; see: {fields}."


class UnreadableBody(Problem):
    status = 400
    code = "unreadable_body"
    zh = "请求内容无法解析。"
    en = "The body could not be parsed."


class ServiceUnavailable(Problem):
    status = 503
    code = "service_unavailable"
    zh = "服务暂时不可用，请稍后重试。"
    en = "The service is temporarily unavailable; please try again."
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "1"}


class Busy(Problem):
    """Somebody else holds what the request needs, for longer than anybody is made to wait."""

    status = 409
    code = "busy"
    zh = "该内容正被他人处理，请稍后重试。"
    en = "Somebody else is acting on this at the moment; please try again."
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "1"}


class InternalError(Problem):
    status = 500
    code = "internal_error"
    zh = "服务器内部错误，请稍后重试，或凭 request_id 联系管理员。"
    en = "Something went wrong on our side; please retry, or report the request_id."


def invalid_request(errors: Iterable[Mapping[str, Any]]) -> InvalidRequest:
    """From pydantic's error list, the first of them; never repeats the value that was sent."""
    rows = [
        {"field": ".".join(str(part)[:LONGEST_FIELD] for part in error["loc"]), "message": str(error["msg"])}
        for error in islice(errors, MOST_ERRORS)
    ]
    return InvalidRequest(fields=", ".join(dict.fromkeys(row["field"] for row in rows)), errors=rows)


def prefers_english(accept_language: str) -> bool:
    """Chinese unless English is asked for with a higher weight than Chinese."""
    weights: dict[str, float] = {}
    for part in accept_language.lower().split(","):
        name, _, parameter = part.strip().partition(";")
        try:
            weight = float(parameter.partition("=")[2] or 1)
        except ValueError:
            weight = 0.0
        language = name.split("-")[0]
        weights[language] = max(weights.get(language, 0.0), weight)
    return weights.get("en", 0.0) > weights.get("zh", 0.0)


def problem_body(problem: Problem, *, accept_language: str, instance: str) -> bytes:
    """The body of the answer, ready to send."""
    english = prefers_english(accept_language)
    body = {
        "type": f"urn:linli:problem:{problem.code}",
        "title": problem.code.replace("_", " "),
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail(english=english),
        "instance": instance,
        "request_id": request_id.get(),
        **problem.members,
    }
    return msgspec.json.encode(body, enc_hook=str)
