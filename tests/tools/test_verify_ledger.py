"""The stand-alone verifier, on files as the product exports them: run as an auditor would, without the product."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.points.books import Books
from tests.points.proof.histories import export, live, sealed
from tools.verify_ledger import link_hash

PROGRAM = Path(__file__).parents[2] / "tools" / "verify_ledger.py"
Lines = list[str]


@pytest.fixture
async def lines(quiet_books: Books) -> Lines:
    await live(quiet_books)
    await sealed(quiet_books)
    return await export(quiet_books)


def verify(folder: Path, lines: Lines, heads: Any = None, *more: str) -> tuple[int, str]:
    """In isolated mode and another folder: none of the product's modules can be imported."""
    (folder / "ledger.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    command = [sys.executable, "-I", "-S", str(PROGRAM), "ledger.jsonl", *more]
    if heads is not None:
        (folder / "heads.json").write_text(json.dumps(heads), "utf-8")
        command += ["--heads", "heads.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env={"LC_ALL": "C.UTF-8"})
    return done.returncode, done.stdout + done.stderr


def head_of(lines: Lines, place: int) -> dict[str, Any]:
    line = json.loads(lines[place])
    return {"published_on": "2026-03-16", "position": line["position"], "hash": line["hash"]}


def changed(line: str, change: Callable[[dict[str, Any]], None]) -> str:
    content = json.loads(line)
    change(content)
    return json.dumps(content, ensure_ascii=False)


def hashed_anew(lines: Lines, first: int) -> Lines:
    """What somebody would do who knows how it works: every link from `first` on, and the head of the header."""
    header, links = json.loads(lines[0]), [json.loads(line) for line in lines[1:]]
    previous = links[first - 2]["hash"] if first > 1 else "00" * 32
    for link in links[first - 1 :]:
        link["hash"] = previous = link_hash(link["position"], previous, link["record"])
    header["head"] = {"position": len(links), "hash": previous}
    return [json.dumps(item, ensure_ascii=False) for item in (header, *links)]


def test_sound_books(tmp_path: Path, lines: Lines) -> None:
    code, said = verify(tmp_path, lines, [head_of(lines, 3), head_of(lines, len(lines) - 1)])
    assert code == 0, said
    assert f"records 1 to {len(lines) - 1}" in said
    assert "sound (compared with the published heads)" in said


def test_an_answer_of_the_api_is_a_list_of_heads(tmp_path: Path, lines: Lines) -> None:
    assert verify(tmp_path, lines, {"items": [head_of(lines, 3)], "next_cursor": None})[0] == 0


@pytest.mark.parametrize(
    ("says", "damage"),
    [
        ("line 4: the record at position 3 is not what was sealed", lambda lines: [
            *lines[:3], changed(lines[3], lambda line: line["record"].update(reason="x")), *lines[4:]]),
        ("line 4: has position 4 where 3 should be", lambda lines: [*lines[:3], *lines[4:]]),
        ("line 4: has position 4 where 3 should be", lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]]),
        ("it ends at", lambda lines: lines[:-1]),
        ("is not a whole line", lambda lines: [
            *lines[:2], lines[2].replace('"position":2', '"position":"two"'), *lines[3:]]),
        ("is not what was sealed", lambda lines: [
            *lines[:2], lines[2].replace('"reason":"', '"reason":"\\ud800', 1), *lines[3:]]),
        ("is not a whole line", lambda lines: [*lines[:-1], lines[-1][:50]]),
        ("line 3: the record sealed at position 2 is gone", lambda lines: [
            *lines[:2], changed(lines[2], lambda line: line.update(record=None)), *lines[3:]]),
    ],
)  # fmt: skip
def test_names_the_place(tmp_path: Path, lines: Lines, says: str, damage: Callable[[Lines], Lines]) -> None:
    code, said = verify(tmp_path, damage(lines))
    assert code == 1
    assert says in said
    assert "BROKEN" in said


def test_a_tail_hashed_anew_is_found_by_a_published_head_alone(tmp_path: Path, lines: Lines) -> None:
    head = head_of(lines, len(lines) - 1)
    forged = hashed_anew([*lines[:3], changed(lines[3], lambda line: line["record"].update(reason="x")), *lines[4:]], 3)
    assert verify(tmp_path, forged)[0] == 0
    code, said = verify(tmp_path, forged, [head])
    assert code == 1
    assert "is not what was published on 2026-03-16" in said


def test_a_tail_cut_off_cleanly_is_found_by_a_published_head_alone(tmp_path: Path, lines: Lines) -> None:
    shorter = hashed_anew(lines[:-1], 1)
    assert verify(tmp_path, shorter)[0] == 0
    assert verify(tmp_path, shorter, [head_of(lines, len(lines) - 1)])[0] == 1


@pytest.mark.parametrize(
    ("says", "change"),
    [
        ("do not add up to zero", lambda line: line["record"]["legs"][0].update(amount=7)),
        ("does not follow from its entries", lambda line: line["record"]["legs"][0].update(balance_after=7)),
        ("has entry 9 where 1 should be", lambda line: line["record"]["legs"][0].update(sequence=9)),
        ("do not fit its entry", lambda line: line["record"]["legs"][1].update(lots=[])),
        ("something that is not a record", lambda line: line["record"].pop("legs")),
        ("something that is not a record", lambda line: line["record"].update(recorded_at="2026-03-16")),
        ("something that is not a record", lambda line: line["record"]["legs"][0].update(amount=1.5)),
    ],
)
def test_books_that_do_not_add_up_are_found_however_well_hashed(
    tmp_path: Path, lines: Lines, says: str, change: Callable[[dict[str, Any]], None]
) -> None:
    code, said = verify(tmp_path, hashed_anew([lines[0], changed(lines[1], change), *lines[2:]], 1))
    assert code == 1
    assert says in said


def behind(lines: Lines, place: int) -> Lines:
    """The part of a file that begins behind a line."""
    header = {**json.loads(lines[0]), "after": {key: head_of(lines, place)[key] for key in ("position", "hash")}}
    return [json.dumps(header), *lines[place + 1 :]]


def test_part_of_a_file_passes_only_when_that_is_meant(tmp_path: Path, lines: Lines) -> None:
    code, said = verify(tmp_path, behind(lines, 4))
    assert code == 1
    assert "This is part of the books" in said
    assert f"records 5 to {len(lines) - 1}" in said
    code, said = verify(tmp_path, behind(lines, 4), None, "--partial")
    assert code == 0
    assert "This is part of the books" in said


def test_a_header_without_lines_is_held_against_the_heads(tmp_path: Path, lines: Lines) -> None:
    """A forger who sends nothing but a head has to send the one that was published."""
    header = json.loads(lines[0])
    forged = {**header, "after": header["head"] | {"hash": "ab" * 32}, "head": header["head"] | {"hash": "ab" * 32}}
    code, said = verify(tmp_path, [json.dumps(forged)], [head_of(lines, len(lines) - 1)], "--partial")
    assert code == 1
    assert "is not what was published on 2026-03-16" in said
    true = {**header, "after": header["head"]}
    code, said = verify(tmp_path, [json.dumps(true)], [head_of(lines, len(lines) - 1)], "--partial")
    assert code == 0, said
    assert "no records" in said


def test_a_beginning_that_is_none_is_found(tmp_path: Path, lines: Lines) -> None:
    header = {**json.loads(lines[0]), "after": {"position": 0, "hash": "ab" * 32}}
    code, said = verify(tmp_path, [json.dumps(header), *lines[1:]])
    assert code == 1
    assert "does not begin at the beginning" in said


def test_heads_before_the_file_are_said_not_to_be_checked(tmp_path: Path, lines: Lines) -> None:
    code, said = verify(tmp_path, behind(lines, 4), [head_of(lines, 2), head_of(lines, 6)], "--partial")
    assert code == 0
    assert "1 published heads before record 4 were not checked" in said


@pytest.mark.parametrize("header", ["", "{}", '{"format":"linli-ledger","version":2}', "not json"])
def test_another_file_is_refused(tmp_path: Path, lines: Lines, header: str) -> None:
    assert verify(tmp_path, [header, *lines[1:]])[0] == 2


def test_heads_that_are_none_are_refused(tmp_path: Path, lines: Lines) -> None:
    assert verify(tmp_path, lines, {"current": {}})[0] == 2
