"""`demo`: plays the story of an order against the product that runs on PORT."""

from launcher.instance import port_from_environment


def tell_story() -> None:
    """Raises CannotStart when PORT makes no sense."""
    from demo.story import main

    main(f"http://127.0.0.1:{port_from_environment()}")
