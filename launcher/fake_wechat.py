"""The fake WeChat server (demo.wechat) on a loopback port, in a thread of this process."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from demo.wechat import create_app
from launcher.serving import served_beside


@contextmanager
def fake_wechat() -> Iterator[str]:
    """Its base URL, for as long as the block runs."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with served_beside(create_app(), listener):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
