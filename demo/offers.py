"""What the demo district offers and promises, all of it standard, and what people answer when they order."""

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any

from demo.histories import PastOrder
from demo.ids import FOUNDED_AT
from demo.kinds import KIND
from demo.personas import PERSONA
from demo.rows import Row
from services.chassis.clock import SHANGHAI
from services.orders.kinds.forms import Question, QuestionType
from services.orders.kinds.standard import STANDARD_KIND, STANDARD_KINDS, standard_policies

_ANSWERED = 0.5
"""How often people answer what they need not."""
_YES = 0.3


def kind_rows() -> Iterator[Row]:
    """As the standard has them; a note is evidence enough here where nobody has taken a photo."""
    for kind in STANDARD_KINDS:
        yield {**kind.columns(), "evidence_required": KIND[kind.id].evidence_required}


def form_rows() -> Iterator[Row]:
    return (
        {"kind": kind.id, "version": 1, "questions": kind.form(), "recorded_at": FOUNDED_AT} for kind in STANDARD_KINDS
    )


def policy_rows() -> Iterator[Row]:
    """To be there before the history of orders: what happens from then on is clocked."""
    for version, (kind, targets) in enumerate(standard_policies(), start=1):
        yield {
            "version": version,
            "order_kind": kind,
            "targets": targets,
            "note": "设区初始时限",
            "active_from": FOUNDED_AT,
            "recorded_by": PERSONA["district_admin"].account_id,
            "recorded_at": FOUNDED_AT,
        }


def order_columns(order: PastOrder) -> Row:
    """What was answered to the form of its kind: the same in every build."""
    return {"form_version": STANDARD_KIND[order.kind.id].columns()["form_version"], "answers": _answers(order)}


def _answers(order: PastOrder) -> dict[str, Any]:
    random = Random(f"linli-demo:answers:{order.key}")
    answers = {
        question.id: _answer(question, order, random)
        for question in STANDARD_KIND[order.kind.id].questions
        if random.random() < _ANSWERED or question.required
    }
    return {name: answer for name, answer in answers.items() if answer is not None}


def _answer(question: Question, order: PastOrder, random: Random) -> Any:
    """None where the words of the order itself say it."""
    match question.type:
        case QuestionType.TEXT:
            stairwell, divider, _ = order.home.dwelling.partition("单元")
            return f"{order.home.building.name}{stairwell}{divider}" if question.id == "place" else None
        case QuestionType.NUMBER:
            least = max(1, question.min or 0)
            return random.randint(least, max(least, (question.max or least) // 5))
        case QuestionType.BOOLEAN:
            return random.random() < _YES
        case QuestionType.DATE:
            return str(order.placed_at.astimezone(SHANGHAI).date() - timedelta(days=random.randrange(5)))
        case QuestionType.CHOICE:
            return random.choice(question.choices).id
        case QuestionType.CHOICES:
            return [choice.id for choice in random.sample(question.choices, k=random.randint(1, 2))]
        case QuestionType.PHONE:
            return None
