"""What the documents show of the product's own data: drawn from it, so that it cannot go stale unseen."""

from pathlib import Path

from launcher.folders import PROJECT
from launcher.terminal import say
from services.orders.lifecycles.definition import BEFORE, Lifecycle, Transition
from services.orders.lifecycles.drawing import in_words, svg
from services.orders.lifecycles.standard import STANDARD
from services.orders.lifecycles.wording import NEEDS, PEOPLE

PICTURE = PROJECT / "docs" / "images" / "lifecycle.svg"
DOCUMENT = PROJECT / "docs" / "lifecycle.md"
BEGIN, END = "<!-- table: made by `make lifecycle` -->\n", "<!-- end of table -->\n"


def draw_lifecycle() -> None:
    """Write the picture and the table of the standard lifecycle into docs/."""
    for path, content in lifecycle_documents().items():
        path.write_text(content, encoding="utf-8")
        say(f"Wrote {path.relative_to(PROJECT)}")


def lifecycle_documents() -> dict[Path, str]:
    """What the files should hold."""
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    return {PICTURE: svg(STANDARD), DOCUMENT: f"{before}{BEGIN}{table_of(STANDARD)}{END}{after}"}


def table_of(lifecycle: Lifecycle) -> str:
    """In Markdown: every action, from where to where, who may, and what it needs."""
    head = ["| action | | from | to | who (any of) | needs |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *(_row(step) for step in lifecycle.transitions)]) + "\n"


def _row(step: Transition) -> str:
    to = {None: "stays", BEFORE: "where it was before"}.get(step.to_state, f"`{step.to_state}`")
    from_states = " ".join(f"`{name}`" for name in step.from_states)
    who = ", ".join(dict.fromkeys(PEOPLE[name].en for name in step.who))
    needs = [NEEDS[need].en for need in step.needs]
    if step.after_minutes is not None:
        needs.append(f"by itself after {in_words(step.after_minutes, english=True)}")
    return f"| `{step.action}` | {step.name} | {from_states} | {to} | {who} | {', '.join(needs)} |"
