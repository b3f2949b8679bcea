"""The page for people, at `/`: files of this service alone."""

from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

PAGE: Final = Path(__file__).parent / "page"
_HEADERS: Final = {
    "Cache-Control": "no-cache",  # after a deployment nobody should look at the old page, or at half of it
    "Content-Security-Policy": "default-src 'self'",
}


class _Files(StaticFiles):
    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers.update(_HEADERS)
        return response


def add_page(app: FastAPI) -> None:
    """Serve the page at `/`, and what it brings below `/page`."""
    app.mount("/page", _Files(directory=PAGE))

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html", headers=_HEADERS)
