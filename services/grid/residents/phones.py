"""Phone numbers as those see them who do not need them."""


def masked(phone: str | None) -> str | None:
    """`138****8000`: the first three and the last four characters, of a short number less."""
    if phone is None:
        return None
    shown_first, shown_last = (3, 4) if len(phone) > 8 else (1, 1)
    return phone[:shown_first] + "*" * (len(phone) - shown_first - shown_last) + phone[-shown_last:]
