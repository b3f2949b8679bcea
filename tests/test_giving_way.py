"""A service that is asked to end takes leave of callers that stay connected."""

import http.client
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from tests.serving_process import serving


def test_a_caller_that_stays_connected_is_answered_and_told_that_this_was_the_last_answer(tmp_path: Path) -> None:
    with (
        serving(tmp_path) as service,
        closing(http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=10)) as kept,
    ):
        kept.request("GET", "/health")
        assert kept.getresponse().read()
        service.process.terminate()
        time.sleep(0.5)  # it looks idle, and its next request may be on its way
        kept.request("GET", "/health")
        answer = kept.getresponse()
        assert (answer.status, answer.getheader("connection")) == (200, "close")
