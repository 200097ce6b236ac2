"""Pictures of a lifecycle: a diagram in Mermaid's language, and an SVG that needs nothing else to be looked at.

The SVG is read like a timetable: every state is a column, in the order of the board; every action is a row, with a dot
for each state it is taken from and an arrow at the one it leads to. Lines never cross, however many actions there are.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from xml.sax.saxutils import escape, quoteattr

from models.orders import OrderAction, OrderStage
from services.orders.lifecycles.definition import BEFORE, Lifecycle, State, Transition
from services.orders.lifecycles.paths import in_order_of_life, main_path, steps_of
from services.orders.lifecycles.reaching import targets
from services.orders.lifecycles.strokes import (
    GREY,
    INK,
    MAIN,
    SIDE,
    arrow,
    box,
    circle,
    dot,
    label,
    line,
    loop,
    one_line,
    tags,
    width_of,
    wrapped,
)
from services.orders.lifecycles.wording import NEEDS, PEOPLE, STAGES

LIST_WIDTH, COLUMN, BOX_WIDTH, MARGIN = 268, 86, 70, 20
TITLE_HEIGHT, STAGE_HEIGHT, ROW, LEGEND_HEIGHT = 56, 28, 38, 84
FONT = "'Noto Sans CJK SC','PingFang SC','Microsoft YaHei',sans-serif"
STAGE_COLOURS = {
    OrderStage.RECEIVE: "#fff6e0",
    OrderStage.DISPATCH: "#eaf2ff",
    OrderStage.HANDLE: "#e8f8f0",
    OrderStage.VERIFY: "#f2edff",
    OrderStage.CLOSE: "#fdecf3",
    OrderStage.DONE: "#eef2f6",
    OrderStage.FOLLOW: "#f6f2e9",
}
ASKING, DOING, STEERING, SYSTEM = "#b45309", "#15803d", "#1d4ed8", "#7c3aed"
PARTIES = {ASKING: "居民一方", DOING: "办理一方", STEERING: "社区一方", SYSTEM: "系统自动"}
_PARTY = {
    **dict.fromkeys(("is_requester", "is_family_placer", "stands_in", "is_proxy"), ASKING),
    **dict.fromkeys(("is_dispatcher", "is_senior", "is_overseer"), STEERING),
    "is_system": SYSTEM,
}
"""Everybody else works on the order."""
_WIDE = {ord(sign): chr(ord(sign) + 0xFEE0) for sign in '"#%&:;<>[\\]`{|}-'}


def mermaid(lifecycle: Lifecycle) -> str:
    """A `stateDiagram-v2`: an arrow from state to state with the actions on it. What moves nothing is left out."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for step in lifecycle.transitions:
        for name in step.from_states:
            for target in targets(lifecycle, step, name):
                arrows.setdefault((name, target), []).append(_plain(step.name))
    lines = ["stateDiagram-v2", "    direction LR"]
    lines += [f'    state "{_plain(state.name)}" as s_{state.id}' for state in lifecycle.states]
    lines.append(f"    [*] --> s_{lifecycle.initial.id}")
    for (source, target), names in arrows.items():
        lines.append(f"    s_{source} --> s_{target} : {'／'.join(dict.fromkeys(names))}")
    lines += [f"    s_{state.id} --> [*]" for state in lifecycle.states if state.is_final]
    return "\n".join(lines) + "\n"


def _plain(words: str) -> str:
    """Without the signs of the diagram's own language."""
    return one_line(words).translate(_WIDE)


def svg(lifecycle: Lifecycle, title: str = "订单的一生") -> str:
    """A picture of its own; the same lifecycle always gives the same text."""
    return "\n".join(_Picture(lifecycle, one_line(title)).lines()) + "\n"


class _Picture:
    def __init__(self, lifecycle: Lifecycle, title: str) -> None:
        self.lifecycle, self.title = lifecycle, title
        self.columns = in_order_of_life(lifecycle)
        self.x = {state.id: LIST_WIDTH + COLUMN * (index + 0.5) for index, state in enumerate(self.columns)}
        self.path = main_path(lifecycle)
        steps = list(steps_of(lifecycle, self.path))
        self.usual = {(step, state.id) for step, state in steps}
        first = list(dict.fromkeys(step for step, _ in steps))
        self.rows = first + [step for step in lifecycle.transitions if step not in first]
        self.box_height = max(44, 14 + 16 * max(len(_name_lines(state)) for state in self.columns))
        self.boxes_top = TITLE_HEIGHT + STAGE_HEIGHT + 10
        self.rows_top = self.boxes_top + 2 * self.box_height + 26
        self.rows_end = self.rows_top + ROW * len(self.rows)
        self.width = LIST_WIDTH + COLUMN * len(self.columns) + MARGIN
        self.height = self.rows_end + LEGEND_HEIGHT

    def lines(self) -> Iterator[str]:
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" role="img" aria-label={quoteattr(self.title)} font-family="{FONT}">'
        )
        yield f"<title>{escape(self.title)}</title>"
        yield box(0, 0, self.width, self.height, "#ffffff", radius=0)
        yield label(MARGIN, 37, self.title, 21, INK, weight=700)
        yield label(MARGIN + width_of(self.title, 21) + 16, 36, "每列一个状态，每行一个动作及其执行人", 13, GREY)
        yield from self._stages()
        yield from self._columns()
        yield from self._usual_way()
        for index, step in enumerate(self.rows):
            yield from self._row(step, self.rows_top + ROW * index, is_tinted=index % 2 == 0)
        yield from self._legend()
        yield "</svg>"

    def _stages(self) -> Iterator[str]:
        for stage, states in groupby(self.columns, key=lambda state: state.stage):
            names = [state.id for state in states]
            left, width = self.x[names[0]] - COLUMN / 2, COLUMN * len(names)
            yield box(left + 2, TITLE_HEIGHT, width - 4, self.rows_end - TITLE_HEIGHT, STAGE_COLOURS[stage])
            yield label(left + width / 2, TITLE_HEIGHT + 20, STAGES[stage].zh, 13, GREY, weight=700, is_centred=True)

    def _columns(self) -> Iterator[str]:
        for state in self.columns:
            is_usual = state in self.path
            top = self.boxes_top + (0 if is_usual else self.box_height + 12)
            x = self.x[state.id]
            yield line((x, top), (x, self.rows_end), "#cbd5e1", 1, dashes="2 4")
            yield f"<g><title>{escape(one_line(f'{state.id}: {state.name}, {state.name_en}'))}</title>"
            yield box(
                x - BOX_WIDTH / 2, top, BOX_WIDTH, self.box_height, MAIN if is_usual else "#ffffff", radius=9,
                edge=MAIN if is_usual else SIDE, is_dashed=state.pauses,
            )  # fmt: skip
            yield from self._name(state, top, "#ffffff" if is_usual else INK)
            yield "</g>"

    def _name(self, state: State, top: float, colour: str) -> Iterator[str]:
        lines = _name_lines(state)
        y = top + self.box_height / 2 - 8 * (len(lines) - 1) + 5
        for number, words in enumerate(lines):
            yield label(self.x[state.id], y + 16 * number, words, 14, colour, weight=600, is_centred=True)

    def _usual_way(self) -> Iterator[str]:
        y = self.boxes_top + self.box_height / 2
        for state, later in pairwise(self.path):
            end = self.x[later.id] - BOX_WIDTH / 2
            yield line((self.x[state.id] + BOX_WIDTH / 2, y), (end - 8, y), MAIN, 4)
            yield arrow(end - 1, y, MAIN, to_the_right=True, size=8)

    def _row(self, step: Transition, top: float, *, is_tinted: bool) -> Iterator[str]:
        is_usual = any(step == one for one, _ in self.usual)
        yield f"<g><title>{escape(one_line(f'{step.action}: {step.name}, {step.name_en}'))}</title>"
        if is_tinted:
            yield f'<rect x="0" y="{top}" width="{self.width}" height="{ROW}" fill="#0f172a" fill-opacity="0.035"/>'
        name = one_line(step.name)
        yield label(MARGIN, top + 17, name, 13.5, MAIN if is_usual else INK, weight=700)
        yield from tags(MARGIN + width_of(name, 13.5) + 8, top + 6, _conditions(step), GREY)
        yield _people(MARGIN, top + 32, step.who)
        yield from self._track(step, top + ROW / 2)
        yield "</g>"

    def _track(self, step: Transition, y: float) -> Iterator[str]:
        names = [name for name in step.from_states if name in self.x]
        if step.to_state is None:
            yield from self._staying(names, y)
        elif step.to_state == BEFORE:
            for name in names:
                yield from self._going_back(name, targets(self.lifecycle, step, name), y)
        elif step.to_state in self.x:
            yield from self._moving(step, names, step.to_state, y)

    def _staying(self, names: Sequence[str], y: float) -> Iterator[str]:
        places = sorted(self.x[name] for name in names)
        if len(places) > 1:
            yield line((places[0], y), (places[-1], y), SIDE, 1, dashes="1 4")
        yield from (circle(x, y) for x in places)

    def _going_back(self, name: str, before: Iterable[str], y: float) -> Iterator[str]:
        start = self.x[name]
        for end in (self.x[one] for one in before if one in self.x):
            yield line((start, y), (end, y), SIDE, 1.6, dashes="5 3")
            yield arrow(end, y, GREY, to_the_right=end > start)
        yield dot(start, y, GREY)

    def _moving(self, step: Transition, names: Sequence[str], to_state: str, y: float) -> Iterator[str]:
        """The usual way is drawn last, on top of the others."""
        end = self.x[to_state]
        others = [name for name in names if name != to_state]
        others.sort(key=lambda name: (step, name) in self.usual)
        inks = [(MAIN, 3.2) if (step, name) in self.usual else (SIDE, 1.6) for name in others]
        for name, (colour, thickness) in zip(others, inks, strict=True):
            yield line((self.x[name], y), (end, y), colour, thickness)
        for name, (colour, _) in zip(others, inks, strict=True):
            mark = MAIN if colour == MAIN else GREY
            yield dot(self.x[name], y, mark)
            yield arrow(end, y, mark, to_the_right=self.x[name] < end)
        if to_state in names:
            yield loop(end, y, GREY)

    def _legend(self) -> Iterator[str]:
        x, y = float(MARGIN), self.rows_end + 32
        for colour, name in PARTIES.items():
            yield box(x, y - 10, 11, 11, colour, radius=2)
            yield label(x + 16, y, name, 12, GREY)
            x += 16 + width_of(name, 12) + 18
        yield box(x, y - 13, 26, 16, "#ffffff", radius=5, edge=SIDE, is_dashed=True)
        yield label(x + 32, y, "此状态下时限暂停", 12, GREY)
        x, y = float(MARGIN), self.rows_end + 60
        for kind, name in _MARKS.items():
            yield from _mark(kind, x, y - 4)
            yield label(x + 44, y, name, 12, GREY)
            x += 44 + width_of(name, 12) + 22


_MARKS = {
    "usual": "通常的走法",
    "other": "其他走法：由 ● 转入箭头所指的状态",
    "stays": "状态不变",
    "loop": "再次进入同一状态",
    "before": "回到原来的状态",
}


def _mark(kind: str, x: float, y: float) -> Iterator[str]:
    if kind == "stays":
        yield circle(x + 18, y)
    elif kind == "loop":
        yield loop(x + 16, y + 6, GREY)
    else:
        is_usual = kind == "usual"
        yield line(
            (x, y), (x + 30, y), MAIN if is_usual else SIDE, 3.2 if is_usual else 1.6,
            dashes="5 3" if kind == "before" else "",
        )  # fmt: skip
        yield dot(x, y, MAIN if is_usual else GREY)
        yield arrow(x + 36, y, MAIN if is_usual else GREY, to_the_right=True)


def _name_lines(state: State) -> list[str]:
    return wrapped(state.name, BOX_WIDTH - 8, 14)


def _people(x: float, y: float, who: Iterable[str]) -> str:
    said = dict.fromkeys((_named(name), _PARTY.get(name, DOING)) for name in who)
    comma = f'<tspan fill="{GREY}">、</tspan>'
    spans = comma.join(f'<tspan fill="{colour}">{escape(name)}</tspan>' for name, colour in said)
    return f'<text x="{x}" y="{y}" font-size="11">{spans}</text>'


def _named(predicate: str) -> str:
    return PEOPLE[predicate].zh if predicate in PEOPLE else predicate


def _conditions(step: Transition) -> list[str]:
    after = [] if step.after_minutes is None else [f"{in_words(step.after_minutes)}后自动"]
    if step.action == OrderAction.LAPSE:
        after = ["认领后未开始"]
    return [*(NEEDS[need].zh for need in step.needs), *after]


def in_words(minutes: int, *, english: bool = False) -> str:
    """`7天` or `7 days`, `36小时`, `90分钟`."""
    units = ((24 * 60, "天", " days"), (60, "小时", " hours"), (1, "分钟", " minutes"))
    length, chinese, in_english = next(unit for unit in units if minutes % unit[0] == 0)
    return f"{minutes // length}{in_english if english else chinese}"
