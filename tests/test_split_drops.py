"""Whatever is dropped, in whatever order, accepted or not: nothing changes its side, and no look-alike of a test
picture trains. Hypothesis draws the histories."""

import hashlib
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count, islice

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.builders import pair
from wms_ml.catalogue import Accepted
from wms_ml.hamming import distance
from wms_ml.pairs import SPLITS, Pair
from wms_ml.split import RADIUS, TEST, TRAIN, VALIDATION, assign, side


def flipped(phash: int, bits: Iterable[int]) -> str:
    for bit in bits:
        phash ^= 1 << bit
    return f"{phash:016x}"


def picture(number: int, phash: str, name: str = "", mask: str = "f" * 64) -> Pair:
    return replace(pair(name or f"p{number}", image=image(number), mask=mask), phash=phash, split="")


def image(number: int) -> str:
    return hashlib.sha256(f"{number}".encode()).hexdigest()


def placed(drop: Iterable[Pair], accepted: Iterable[Pair]) -> list[Pair]:
    drop = list(drop)
    sides = assign(drop, Accepted.of(accepted))
    return [replace(each, split=sides[each.image_sha256]) for each in drop]


def leaks(pairs: Iterable[Pair]) -> list[tuple[str, str]]:
    """Training pictures that look like a test picture, each with that; found by comparing each with each."""
    pairs = list(pairs)
    train, test = ([each for each in pairs if each.split == name] for name in (TRAIN, TEST))
    return [(a.name, b.name) for a in train for b in test if distance(a.phash, b.phash) <= RADIUS]


NUMBERS = [number for name in SPLITS for number in islice(filter(lambda n: side(image(n)) == name, count()), 8)]
"""Pictures that by themselves would stand on each side equally often."""


@dataclass(frozen=True)
class Proposal:
    """What `data/<drop>` holds: the rows of a drop beside those that were accepted when it was proposed."""

    base: tuple[Pair, ...]
    rows: tuple[Pair, ...]


class Drops(RuleBasedStateMachine):
    """The data repository with everything left out but what decides over sides.

    Hashes lie on a line, two bits from each to the next, so that later pictures fall between earlier ones.
    """

    proposals = Bundle("proposals")

    def __init__(self) -> None:
        super().__init__()
        self.main: tuple[Pair, ...] = ()
        self.sides: dict[str, str] = {}
        self.hashes: dict[int, str] = {}

    @rule(
        target=proposals,
        drop=st.dictionaries(st.sampled_from(NUMBERS), st.integers(0, 16), min_size=1, max_size=4),
        salt=st.integers(0, 1),
        shuffle=st.randoms(),
    )
    def propose(self, drop: dict[int, int], salt: int, shuffle: random.Random) -> Proposal:
        """A drop of pictures that are new, or came before: as they were, renamed, with a corrected mask."""
        pairs = []
        for number, at in drop.items():
            phash = self.hashes.setdefault(number, flipped(0, range(2 * at)))
            pairs.append(picture(number, phash, f"p{number}-{salt}", f"{salt}" * 64))
        rows = placed(pairs, self.main)
        shuffle.shuffle(pairs)
        assert {row.name: row.split for row in placed(pairs, self.main)} == {row.name: row.split for row in rows}
        new = tuple(row for row in rows if row.pair_id not in {each.pair_id for each in self.main})
        assert not leaks(self.main + new)
        return Proposal(self.main, new)

    @rule(proposal=proposals)
    def accept(self, proposal: Proposal) -> None:
        """`main` takes a proposal that was made for it as it is, and refuses one that it outran."""
        if proposal.base == self.main:
            self.main += proposal.rows

    @invariant()
    def every_picture_stays_on_its_side(self) -> None:
        for row in self.main:
            assert self.sides.setdefault(row.image_sha256, row.split) == row.split

    @invariant()
    def nothing_trains_that_looks_like_a_test_picture(self) -> None:
        assert not leaks(self.main)


def test_no_history_of_drops_moves_a_picture_or_lets_a_look_alike_of_a_test_picture_train() -> None:
    run_state_machine_as_test(Drops, settings=settings(max_examples=100, stateful_step_count=30, deadline=None))


def on(wanted: str, start: int = 0) -> int:
    """Number of a picture that stands on this side when nothing looks like it."""
    return next(number for number in count(start) if side(image(number)) == wanted)


def test_look_alikes_in_one_drop_stand_on_one_side_also_through_others() -> None:
    chain = [picture(number, flipped(0, range(RADIUS * number))) for number in range(10)]
    rows = placed(chain, [])
    assert {each.split for each in rows} == {side(min(each.image_sha256 for each in chain))}


def test_a_look_alike_of_an_accepted_picture_goes_where_that_is() -> None:
    accepted = placed([picture(on(TEST), "0" * 16)], [])
    look_alike, stranger = on(TRAIN), on(TRAIN, start=50)
    rows = placed([picture(look_alike, flipped(0, range(6))), picture(stranger, flipped(0, range(7)))], [*accepted])
    assert [each.split for each in rows] == [TEST, TEST]
    rows = placed([picture(stranger, flipped(0, range(7)))], accepted)
    assert [each.split for each in rows] == [TRAIN]


def test_what_lies_between_a_training_and_a_test_picture_goes_to_validation() -> None:
    far = flipped(0, range(2 * RADIUS))
    accepted = placed([picture(on(TRAIN), "0" * 16), picture(on(TEST), far)], [])
    assert [each.split for each in accepted] == [TRAIN, TEST]
    bridge = picture(on(TRAIN, start=50), flipped(0, range(RADIUS)))
    beside = picture(on(TRAIN, start=90), flipped(0, [*range(RADIUS), 60]))
    assert [each.split for each in placed([bridge, beside], accepted)] == [VALIDATION, VALIDATION]


def test_an_accepted_picture_stays_although_its_look_alikes_go_elsewhere() -> None:
    accepted = [replace(picture(1, "0" * 16), split=TEST), replace(picture(2, "f" * 16), split=TRAIN)]
    again = [picture(1, "f" * 16, "renamed", "1" * 64), picture(3, flipped(0, range(3)))]
    assert [each.split for each in placed(again, accepted)] == [TEST, TEST]


def test_a_hundred_thousand_pictures_without_features_are_one_group_at_no_cost() -> None:
    grey = [picture(number, "8" + "0" * 15) for number in range(100_000)]
    assert len({*assign(grey, Accepted()).values()}) == 1
