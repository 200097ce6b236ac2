"""`run`: gateway and all services in this process."""

import logging
import os

from launcher.product import Product, introduce, prepared_product
from launcher.serving import serve
from services.chassis.logging import configure_logging
from services.chassis.settings import Settings


def run() -> None:
    """Serve the demo product until it is stopped. Raises CannotStart, and KeyboardInterrupt when it was stopped."""
    configure_logging(logging.WARNING)
    with prepared_product() as product:
        _serve(product)


def _serve(product: Product) -> None:
    from api.all_in_one import create_app

    settings = Settings.model_validate({**os.environ, **product.environment})
    serve(create_app(settings), sockets=[product.socket], when_ready=lambda: introduce(product))
