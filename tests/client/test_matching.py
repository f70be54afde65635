"""The best assignment, against all there are."""

from itertools import permutations
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from kobza.client.matching import assign

ALONE = 40
MANY = 400


def cost_of(edges: list[dict[int, int]], matched: dict[int, int], rights: int) -> int:
    """Return the cost of an assignment, doubled: each one left alone costs half of ALONE."""
    pairs = sum(edges[left][right] for left, right in matched.items())
    return 2 * pairs + ALONE * (len(edges) + rights - 2 * len(matched))


def cheapest(edges: list[dict[int, int]], rights: int) -> int:
    """Try every assignment there is."""
    places = [*range(rights), *[None] * len(edges)]
    best = None
    for chosen in set(permutations(places, len(edges))):
        matched = {left: right for left, right in enumerate(chosen) if right is not None}
        if all(right in edges[left] for left, right in matched.items()):
            cost = cost_of(edges, matched, rights)
            best = cost if best is None else min(best, cost)
    assert best is not None
    return best


@st.composite
def graphs(draw: st.DrawFn, most: int = 4) -> tuple[list[dict[int, int]], int]:
    rights = draw(st.integers(0, most))
    row = st.dictionaries(st.integers(0, max(0, rights - 1)), st.integers(0, 60)) if rights else st.just({})
    return draw(st.lists(row, max_size=most)), rights


@given(graphs())
def test_no_assignment_is_cheaper(graph: tuple[list[dict[int, int]], int]) -> None:
    edges, rights = graph
    matched = assign(edges, ALONE)
    assert all(right in edges[left] for left, right in matched.items())
    assert len(set(matched.values())) == len(matched)
    assert cost_of(edges, matched, rights) == cheapest(edges, rights)


@given(graphs(most=12), st.randoms(use_true_random=False))
def test_the_order_of_the_lists_changes_no_cost(graph: tuple[list[dict[int, int]], int], random: Random) -> None:
    edges, rights = graph
    left_order, right_order = list(range(len(edges))), list(range(rights))
    random.shuffle(left_order)
    random.shuffle(right_order)
    shuffled = [{right_order[right]: cost for right, cost in edges[left].items()} for left in left_order]
    first, second = assign(edges, ALONE), assign(shuffled, ALONE)
    assert cost_of(edges, first, rights) == cost_of(shuffled, second, rights)
    mirrored: list[dict[int, int]] = [{} for _ in range(rights)]
    for left, row in enumerate(edges):
        for right, cost in row.items():
            mirrored[right][left] = cost
    assert cost_of(mirrored, assign(mirrored, ALONE), len(edges)) == cost_of(edges, first, rights)


@given(st.lists(st.integers(0, 300), max_size=30), st.sets(st.integers(0, 29)))
def test_what_is_missing_shifts_no_neighbour(times: list[int], missing: set[int]) -> None:
    """Calls that are there on both sides are found though others around them are not."""
    kept = [at for position, at in enumerate(times) if position not in missing]
    edges = [{right: abs(at - other) for right, other in enumerate(kept) if abs(at - other) < 10} for at in times]
    matched = assign(edges, ALONE)
    assert sum(edges[left][right] for left, right in matched.items()) == 0
    assert len(matched) == len(kept)


def test_many_calls_that_could_all_be_each_other() -> None:
    """Calls a second apart, each like ten others, in a chain: the part is as large as it can be."""
    edges = [
        {right: abs(left - right) for right in range(max(0, left - 5), min(MANY, left + 6))} for left in range(MANY)
    ]
    assert assign(edges, ALONE) == {number: number for number in range(MANY)}
    shifted = [{right: cost + 1 for right, cost in row.items() if right != left} for left, row in enumerate(edges)]
    assert len(assign(shifted, ALONE)) == MANY


def test_nothing_and_no_pairs() -> None:
    assert assign([], ALONE) == {}
    assert assign([{}, {}], ALONE) == {}
    assert assign([{0: ALONE}], ALONE) == {}
    assert assign([{0: ALONE - 1}], ALONE) == {0: 0}
