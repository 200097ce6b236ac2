"""The extra questions of a kind of order, and the answers given to them.

Answers are checked by `order_form_faults` (migrations/functions), in the statement that places the order.
"""

import unicodedata
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, JsonValue, StrictBool, model_validator

from services.chassis.errors import Problem
from services.chassis.schemas import Body, Line, is_storable, text_of

MOST_QUESTIONS = 20
MOST_CHOICES = 40
LONGEST_TEXT = 2000
"""Characters of one answer."""
LARGEST_NUMBER = 1_000_000_000
MOST_ANSWERS = 2 * MOST_QUESTIONS
LARGEST_INTEGER = 2**53
"""Beyond it clients do not count in steps of one."""
DEEPEST = 3
MOST_PARTS = 200
BLANK_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and symbols to Unicode, nothing to the eye."""


class QuestionType(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    """`2026-03-16`"""
    CHOICE = "choice"
    """One of the choices, by its id."""
    CHOICES = "choices"
    """A list of some of them."""
    PHONE = "phone"


CHOOSING = frozenset({QuestionType.CHOICE, QuestionType.CHOICES})
MEASURED = frozenset({QuestionType.NUMBER, QuestionType.TEXT})

SnakeCase = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$", examples=["floor"])]


def _visible(text: str) -> str:
    if all(unicodedata.category(letter)[0] in "CZM" or letter in BLANK_LETTERS for letter in text):
        raise ValueError("nothing of it can be seen")
    return text


Label = Annotated[str, *text_of(60), AfterValidator(_visible)]
Bound = Annotated[int, Field(strict=True, ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]


class Choice(Body):
    id: SnakeCase
    label: Annotated[Label, Field(examples=["楼道"])]
    label_en: Label | None = None


class Question(Body):
    """One question of a form. Forms that do not hold together are refused with the place named."""

    id: SnakeCase
    label: Annotated[Label, Field(examples=["在几楼"])]
    label_en: Label | None = None
    type: QuestionType
    required: StrictBool = False
    choices: list[Choice] = Field(default_factory=list, max_length=MOST_CHOICES)
    """Of a choice, or of choices; empty for any other type."""
    min: Bound | None = None
    """Of a number its least, of a text the fewest characters."""
    max: Bound | None = None
    """Of a number its largest, of a text the most characters (500 when it does not say)."""
    whole: StrictBool = False
    """Of a number: what is counted, floors or lamps, has no fractions."""
    help: Line | None = None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if (self.type in CHOOSING) != bool(self.choices):
            raise ValueError("choices belong to the types choice and choices, which need at least one")
        if len({choice.id for choice in self.choices}) < len(self.choices):
            raise ValueError("two choices have the same id")
        if self.type not in MEASURED and (self.min, self.max) != (None, None):
            raise ValueError("min and max belong to the types number and text")
        if self.whole and self.type != QuestionType.NUMBER:
            raise ValueError("whole belongs to the type number")
        self._check_bounds()
        return self

    def _check_bounds(self) -> None:
        is_text = self.type == QuestionType.TEXT
        least, most = (0, 500) if is_text else (-LARGEST_NUMBER, LARGEST_NUMBER)
        lower = least if self.min is None else self.min
        upper = most if self.max is None else self.max
        if lower > upper:
            raise ValueError("min is more than max")
        if is_text and not 0 <= lower <= upper <= LONGEST_TEXT:
            raise ValueError(f"a text has 0 to {LONGEST_TEXT} characters")


def _with_distinct_ids(questions: list[Question]) -> list[Question]:
    first: dict[str, int] = {}
    for number, question in enumerate(questions):
        if question.id in first:
            raise ValueError(f"question {number} has the id of question {first[question.id]}")
        first[question.id] = number
    return questions


Questions = Annotated[list[Question], Field(max_length=MOST_QUESTIONS), AfterValidator(_with_distinct_ids)]
"""In the order in which they are asked; counted from 0 in errors."""


def _sendable(answers: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """What Postgres can store. Whether it answers the questions is decided where the order is placed."""
    if len(answers) > MOST_ANSWERS:
        raise ValueError(f"at most {MOST_ANSWERS} answers")
    if _parts(answers, 0) > MOST_PARTS:
        raise ValueError(f"at most {MOST_PARTS} parts in all answers")
    return answers


def _parts(value: JsonValue, depth: int) -> int:
    """How many values it consists of. Raises ValueError for one that cannot be stored."""
    if depth > DEEPEST:
        raise ValueError("answers are not nested so deep")
    if isinstance(value, dict):
        return sum(_parts(name, depth) + _parts(part, depth + 1) for name, part in value.items())
    if isinstance(value, list):
        return 1 + sum(_parts(part, depth + 1) for part in value)
    if isinstance(value, str) and (len(value) > LONGEST_TEXT or not is_storable(value)):
        raise ValueError(f"a text has at most {LONGEST_TEXT} characters, and no control characters")
    if isinstance(value, int | float) and not abs(value) <= LARGEST_INTEGER:  # neither is NaN
        raise ValueError("a number lies within 2^53")
    return 1


FormAnswers = Annotated[
    dict[str, JsonValue], AfterValidator(_sendable), Field(examples=[{"floor": 5, "blocks_the_way": True}])
]
"""By the question's id; what is not answered is left out."""


class FormIncomplete(Problem):
    """`faults` lists {question, fault}: missing, type, choice, range, or unknown for what is not asked."""

    status = 422
    code = "form_incomplete"
    zh = "表单填写有误，请按提示补充或修改。"
    en = "The answers do not fit the form of this kind of order; see faults."
