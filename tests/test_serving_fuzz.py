"""What nobody thought of: requests that the API's own description allows, and damaged pictures of every kind.

`python -m benchmarks.fuzz_serving` sends many more of these pictures.
"""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from tests.fuzzing import fuzz
from tests.mutations import mutation
from tests.serving_process import Service, serving
from tests.uploads import photo

_PICTURES = 240
_KEEPS = (not_a_server_error, response_schema_conformance, content_type_conformance)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("fuzzing")) as started:
        yield started


def test_every_answer_is_one_that_the_api_describes(service: Service, subtests: pytest.Subtests) -> None:
    pictures = st.one_of(st.just(photo()), st.integers(0, 500).map(lambda number: mutation(0, number).content))
    schemathesis.openapi.format("binary", pictures)
    api = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    operations = [found.ok() for found in api.get_all_operations()]
    assert {"POST /predict", "GET /version"} <= {operation.label for operation in operations}
    for operation in operations:

        @settings(max_examples=15, derandomize=True, deadline=None, database=None)
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=list(_KEEPS), timeout=30)

        with subtests.test(operation.label):
            check()


def test_damaged_pictures_are_answered_with_a_mask_or_a_reason_and_harm_nobody(service: Service) -> None:
    outcome = fuzz(service.url, seed=0, numbers=range(_PICTURES), connections=3)
    assert (outcome.trouble, outcome.canary_trouble) == ({}, [])
    assert sum(outcome.answers.values()) == _PICTURES
    assert outcome.canaries > 0
    assert {answer.split()[0] for answer in outcome.answers} >= {"200", "400", "415"}
    assert service.process.poll() is None


def test_a_mutation_is_known_by_its_seed_and_number() -> None:
    assert mutation(3, 14) == mutation(3, 14)
    assert len({mutation(seed, number).content for seed in (1, 2) for number in range(5)}) == 10
