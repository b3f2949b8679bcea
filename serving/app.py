"""The service over HTTP, put together: routes, page, documentation, figures, access, log."""

from fastapi import FastAPI

from serving.access import add_access
from serving.docs_page import add_docs
from serving.examples import show_examples
from serving.metrics import add_metrics
from serving.problems import tell_problems
from serving.request_log import RequestLog
from serving.routes_page import add_page
from serving.routes_predict import predict_routes
from serving.routes_state import state_routes
from serving.service import Service

_ABOUT = "Finds the reading window, the counter with the digits, in pictures of water meters."


def create_app(service: Service) -> FastAPI:
    """The HTTP side of `service`, which may still be loading."""
    settings, metrics = service.settings, service.metrics
    app = FastAPI(
        title="Reading windows of water meters", version="2", description=_ABOUT, docs_url=None, redoc_url=None
    )
    tell_problems(app, service.failed)
    app.include_router(predict_routes(service))
    app.include_router(state_routes(service.loading, settings.share))
    show_examples(app)
    add_page(app)
    add_docs(app)
    add_metrics(app, metrics)
    key = settings.api_key.get_secret_value()
    add_access(app, key, settings.cors_origins, lambda: metrics.failed("unauthorized"))
    app.add_middleware(RequestLog, model_version=lambda: service.loading.model_version)  # the last one is outermost
    return app
