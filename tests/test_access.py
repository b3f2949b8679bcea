"""Who may ask for predictions, and from which web pages."""

import logging
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from serving.access import add_access
from tests.live_app import live

KEY = "Zażółć-0123456789"
SENT = KEY.encode()
ELSEWHERE = "https://meters.example"
OPEN = ["/", "/health", "/ready", "/version", "/metrics", "/docs", "/openapi.json"]


def an_app() -> FastAPI:
    app = FastAPI(docs_url=None)

    @app.post("/predict")
    @app.post("/predict/batch")
    async def predict(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @app.get("/{path:path}", include_in_schema=False)
    async def anything() -> Response:
        return Response("open")

    return app


class Guarded:
    """A service with a key, and how often it turned somebody away."""

    def __init__(self) -> None:
        self.refusals = 0

    def refuse(self) -> None:
        self.refusals += 1


@pytest.fixture(scope="module")
def guarded() -> Guarded:
    return Guarded()


@pytest.fixture(scope="module")
def http(guarded: Guarded) -> Iterator[httpx.Client]:
    app = an_app()
    add_access(app, KEY, [ELSEWHERE], guarded.refuse)
    with live(app) as client:
        yield client


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
@pytest.mark.parametrize(
    "headers",
    [
        {b"X-API-Key": SENT},
        {b"Authorization": b"Bearer " + SENT},
        {b"Authorization": b"bearer " + SENT},
        {b"X-API-Key": b"wrong", b"Authorization": b"Bearer " + SENT},
    ],
    ids=["own header", "bearer", "small letters", "one of two"],
)
def test_who_sends_the_key_is_answered(http: httpx.Client, path: str, headers: dict[bytes, bytes]) -> None:
    assert http.post(path, content=b"abc", headers=headers).json() == {"bytes": 3}


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/predict/", "/predict/nothing", "/%70redict"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"X-API-Key": b""},
        {b"X-API-Key": SENT[:-1]},
        {b"X-API-Key": SENT + b"0"},
        {b"X-API-Key": b"Bearer " + SENT},
        {b"Authorization": SENT},
        {b"Authorization": b"Basic " + SENT},
        {b"Authorization": b"Bearer"},
        {b"Cookie": b"X-API-Key=" + SENT},
    ],
    ids=["none", "empty", "shorter", "longer", "bearer in own", "bare", "basic", "no token", "cookie"],
)
def test_anybody_else_is_refused_with_the_way_to_do_it(
    http: httpx.Client, guarded: Guarded, path: str, headers: dict[bytes, bytes]
) -> None:
    before = guarded.refusals
    answer = http.post(path, headers=headers, params={"api_key": KEY})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["error"] == "unauthorized"
    assert "X-API-Key" in answer.json()["message"]
    assert guarded.refusals == before + 1


def test_a_large_upload_without_key_is_refused_and_the_service_goes_on(http: httpx.Client) -> None:
    assert http.post("/predict", content=bytes(8 * 2**20)).status_code == 401
    assert http.post("/predict", content=b"abc", headers={b"X-API-Key": SENT}).json() == {"bytes": 3}


@pytest.mark.parametrize("path", OPEN)
def test_everything_else_stays_open(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code == 200


@pytest.mark.parametrize("root", ["/meters", "/p", "/meters/"])
@pytest.mark.parametrize("stripped", [True, False], ids=["stripped", "passed on"])
def test_behind_a_proxy_with_a_prefix_no_way_leads_past_the_key(root: str, stripped: bool) -> None:
    app = an_app()
    add_access(app, KEY, [])
    app.root_path = "" if stripped else root
    paths = ["/predict", f"{root}/predict", f"{root.rstrip('/')}/predict"]
    # Told of a prefix that was stripped, uvicorn puts it before every path again.
    with live(app, root_path=root if stripped else "") as client:
        without = {client.post(path).status_code for path in paths}
        with_key = {client.post(path, headers={b"X-API-Key": SENT}).status_code for path in paths}
    assert 401 in without
    assert 200 not in without
    assert 200 in with_key


def test_without_a_key_everybody_is_answered() -> None:
    app = an_app()
    add_access(app, "", [])
    with live(app) as client:
        assert client.post("/predict", content=b"abc").json() == {"bytes": 3}
        assert "access-control-allow-origin" not in client.post("/predict", headers={"Origin": ELSEWHERE}).headers
    assert "securitySchemes" not in app.openapi().get("components", {})


def preflight(http: httpx.Client, origin: str, headers: str = "X-API-Key, Content-Type") -> httpx.Response:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": headers}
    return http.options("/predict", headers={"Origin": origin, **asked})


def test_a_browsers_preflight_question_is_answered_without_a_key(http: httpx.Client) -> None:
    answer = preflight(http, ELSEWHERE)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ELSEWHERE
    assert "X-API-Key" in answer.headers["access-control-allow-headers"]


def test_other_origins_and_other_headers_are_refused(http: httpx.Client) -> None:
    assert preflight(http, "https://elsewhere.example").status_code == 400
    assert preflight(http, ELSEWHERE, "X-Other").status_code == 400
    assert "access-control-allow-origin" not in preflight(http, "null").headers


def test_a_page_may_read_a_refusal_and_the_headers_of_an_answer(http: httpx.Client) -> None:
    answer = http.post("/predict", headers={"Origin": ELSEWHERE})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, ELSEWHERE)
    assert {"X-Request-ID", "Retry-After"} <= set(answer.headers["access-control-expose-headers"].split(", "))
    assert "access-control-allow-credentials" not in answer.headers


def test_the_description_of_the_api_asks_for_the_key_where_it_is_demanded() -> None:
    app = an_app()
    add_access(app, KEY, [])
    document = app.openapi()
    assert app.openapi() == document
    schemes = document["components"]["securitySchemes"]
    for path in ("/predict", "/predict/batch"):
        operation = document["paths"][path]["post"]
        assert {name for each in operation["security"] for name in each} == set(schemes)
        assert operation["responses"]["401"]["content"]["application/json"]["example"]["error"] == "unauthorized"
    assert KEY not in str(document)


def test_the_key_is_in_no_log(http: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for header in (b"X-API-Key", b"Authorization"):
        http.post("/predict", headers={header: b"wrong-key"})
        http.post("/predict", headers={header: SENT})
    ours = [record for record in caplog.records if not record.name.startswith(("http", "asyncio"))]
    assert not [record for record in ours if KEY in record.getMessage() or "wrong-key" in record.getMessage()]
