"""How an error of ours ends a step: with its one sentence, and without retries, since none of them mends itself."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from wms_ml.errors import WmsError


@contextmanager
def plain_failures() -> Iterator[None]:
    """Show a `WmsError` as the step's failure.

    Raises:
        dagster.Failure: in its place.
    """
    try:
        yield
    except WmsError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
