"""The fake WeChat server (demo.wechat) on a loopback port, in a thread of this process."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from demo.wechat import create_app
from launcher.serving import serve


@contextmanager
def fake_wechat() -> Iterator[str]:
    """Its base URL; its thread ends with the process."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # what connects before the thread serves waits
        threading.Thread(
            target=serve, args=(create_app(),), kwargs={"sockets": [listener]}, name="fake-wechat", daemon=True
        ).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
