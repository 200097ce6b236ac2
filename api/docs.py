"""The interactive documentation: Swagger UI from the package fastapi-swagger, so that it works without the internet."""

from importlib.resources import files
from typing import Final

from starlette.responses import FileResponse, HTMLResponse, Response

_SECONDS_CACHED = 3600

_POLICY = {
    # The browser itself refuses whatever would come from elsewhere.
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'"
}

_PAGE = """<!DOCTYPE html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Linli API</title>
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""

_START = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  filter: true,
  persistAuthorization: true,
  validatorUrl: null,
});
"""

_ASSETS: Final = ("favicon-32x32.png", "swagger-ui-bundle.js", "swagger-ui.css")

PATHS: Final = frozenset({"/docs", "/docs/start.js", *(f"/docs/{name}" for name in _ASSETS)})


def docs_page(path: str) -> Response:
    """The page, or one of the files it consists of; `path` is one of PATHS."""
    if path == "/docs":
        return HTMLResponse(_PAGE, headers=_POLICY)
    if path == "/docs/start.js":
        return Response(_START, media_type="text/javascript")
    asset = files("fastapi_swagger.resources") / path.removeprefix("/docs/")
    return FileResponse(str(asset), headers={"Cache-Control": f"public, max-age={_SECONDS_CACHED}"})
