"""How an error of ours ends a step: with its one sentence, and without retries, since none of them mends itself."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from wms_ml.errors import WmsError


@contextmanager
def plain_failures(but: type[WmsError] | tuple[()] = ()) -> Iterator[None]:
    """Show a `WmsError` as the step's failure, `but` for one that the step itself has to say more about.

    Raises:
        dagster.Failure: in its place.
    """
    try:
        yield
    except but:
        raise
    except WmsError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
