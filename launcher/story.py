"""`demo`: plays the story of an order against the product that runs on PORT."""

from demo.story import main
from launcher.folders import data_path
from launcher.instance import port_from_environment, running_instance


def tell_story() -> int:
    """The exit code: 0 when everything in the story was as it should be. Raises CannotStart for a senseless PORT."""
    url = f"http://127.0.0.1:{port_from_environment()}"
    here = running_instance(data_path())
    return main(url, here.get("wechat_url") if here.get("url") == url else None)
