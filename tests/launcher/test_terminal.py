"""Tables a person reads."""

from launcher.terminal import table


def test_chinese_characters_take_two_columns() -> None:
    lines = table(("name", "role"), [("张德明", "居民"), ("Li", "派单员")]).splitlines()

    assert lines == ["name    role", "张德明  居民", "Li      派单员"]
