"""What is wrong with the answers to a form, written a second time: `order_form_faults` is compared with it."""

import re
from calendar import monthrange
from decimal import Decimal
from typing import Any

BLANKS = " \t\n\r\u3000"
KIND_OF: dict[str, Any] = {"number": (int, float), "boolean": bool, "choices": list}


def form_faults(questions: list[dict[str, Any]] | None, answers: Any) -> list[dict[str, str]]:
    """As the SQL function answers it. Answers are decoded JSON."""
    if answers is None:
        answers = {}
    if not isinstance(answers, dict):
        return [{"question": "", "fault": "type"}]
    asked = questions or []
    found = [(question["id"], _fault(question, answers.get(question["id"]))) for question in asked]
    unknown = sorted((answers.keys() - {question["id"] for question in asked}), key=str.encode)
    faults = [{"question": name, "fault": fault} for name, fault in found if fault]
    return faults + [{"question": name[:60], "fault": "unknown"} for name in unknown]


def _fault(question: dict[str, Any], answer: Any) -> str | None:
    if _is_blank(answer):
        return "missing" if question.get("required") else None
    kind = question["type"]
    if not isinstance(answer, KIND_OF.get(kind, str)) or (kind == "number" and isinstance(answer, bool)):
        return "type"
    fault: str | None = _FAULTS.get(kind, lambda *_: None)(question, answer)
    return fault


def _is_blank(answer: Any) -> bool:
    return answer is None or answer == [] or (isinstance(answer, str) and not answer.strip(BLANKS))


def _text(question: dict[str, Any], answer: str) -> str | None:
    return _range(question, len(answer.strip(BLANKS)), 0, 500)


def _number(question: dict[str, Any], answer: float) -> str | None:
    number = Decimal(repr(answer))
    if question.get("whole") and number != number.to_integral_value():
        return "type"
    return _range(question, number, -1_000_000_000, 1_000_000_000)


def _range(question: dict[str, Any], value: Decimal | int, least: int, most: int) -> str | None:
    lower, upper = question.get("min"), question.get("max")
    is_within = (least if lower is None else lower) <= value <= (most if upper is None else upper)
    return None if is_within else "range"


def _date(_: dict[str, Any], answer: str) -> str | None:
    written = re.fullmatch("([0-9]{4})-([0-9]{2})-([0-9]{2})", answer.strip(BLANKS))
    if written is None:
        return "type"
    year, month, day = map(int, written.groups())
    if not 1 <= month <= 12 or not 1 <= day <= 31:
        return "type"
    if not 1900 <= year <= 2200:
        return "range"
    return None if day <= monthrange(year, month)[1] else "type"


def _phone(_: dict[str, Any], answer: str) -> str | None:
    digits = re.sub("[ \u3000()（）-]", "", answer.strip(BLANKS))
    return None if re.fullmatch("[+]?[0-9]{5,15}", digits) else "type"


def _choice(question: dict[str, Any], answer: str) -> str | None:
    return None if answer in _offered(question) else "choice"


def _choices(question: dict[str, Any], answer: list[Any]) -> str | None:
    if not all(isinstance(one, str) for one in answer):
        return "type"
    return None if set(answer) <= _offered(question) and len(set(answer)) == len(answer) else "choice"


def _offered(question: dict[str, Any]) -> set[str]:
    return {choice["id"] for choice in question.get("choices") or []}


_FAULTS: dict[str, Any] = {
    "text": _text,
    "number": _number,
    "date": _date,
    "phone": _phone,
    "choice": _choice,
    "choices": _choices,
}
