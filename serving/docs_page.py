"""The API's documentation for people, at /docs: everything it shows comes from this service.

FastAPI's own page loads Swagger UI from a content delivery network. The package fastapi-offline brings the same files.
"""

import base64
import hashlib
import re
from typing import Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

_FILES: Final = "docs-files"
_SCRIPT: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def add_docs(app: FastAPI) -> None:
    """Serve /docs.

    Raises:
        ValueError: `app` has pages of documentation already: make it with `docs_url=None, redoc_url=None`.
    """
    if app.docs_url is not None or app.redoc_url is not None:
        raise ValueError("FastAPI's own pages load scripts from elsewhere: give FastAPI docs_url=None, redoc_url=None")
    app.mount(f"/{_FILES}", StaticFiles(packages=[("fastapi_offline", "static")]))
    page = _page(app.title)
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": _policy(page)}

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page, headers=headers)


def _page(title: str) -> str:
    """The page, whose addresses are relative: it works behind any prefix that a proxy adds."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=title,
        swagger_js_url=f"{_FILES}/swagger-ui-bundle.js",
        swagger_css_url=f"{_FILES}/swagger-ui.css",
        swagger_favicon_url=f"{_FILES}/favicon.png",
    )
    return bytes(page.body).decode()


def _policy(page: str) -> str:
    """Nothing from elsewhere, and of the scripts inside the page only those that stand there now, by their hashes.

    Swagger UI brings its icons as `data:` addresses and sets styles of single elements.
    """
    hashes = (hashlib.sha256(script.encode()).digest() for script in _SCRIPT.findall(page))
    scripts = " ".join(f"'sha256-{base64.b64encode(each).decode()}'" for each in hashes)
    return (
        f"default-src 'self'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    )
