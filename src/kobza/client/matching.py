"""Which call of one list is which of another: the best assignment, one to one. Pure.

A pair costs what its calls differ by; two calls left alone cost `alone` together. What is returned is the assignment of
the least total cost, so a call that is missing on one side does not shift its neighbours: of three calls to a customer
within a minute, of which one is missing, the two others are found.

Costs are whole numbers, so that equal sums are equal.
"""

import heapq
from collections.abc import Mapping, Sequence
from typing import Final

Edges = Sequence[Mapping[int, int]]
"""For each of the left side the right ones that it may be, with the cost of the pair (0 or more)."""

_Node = tuple[int, int]
_LEFT: Final = 0
_RIGHT: Final = 1


def assign(edges: Edges, alone: int) -> dict[int, int]:
    """Return left -> right of the assignment with the least sum of costs, where two left alone cost `alone`.

    A pair without an edge is never made, nor one that costs `alone` or more by itself. Of several best assignments the
    same one is returned each time.
    """
    matched: dict[int, int] = {}
    for part in _parts(edges):
        matched |= _assign_part({left: edges[left] for left in part}, alone)
    return dict(sorted(matched.items()))


def _parts(edges: Edges) -> list[list[int]]:
    """Return the left sides of each connected part, so that each costs by its own size: almost all have one or two."""
    lefts_of: dict[int, list[int]] = {}
    for left, rights in enumerate(edges):
        for right in rights:
            lefts_of.setdefault(right, []).append(left)
    seen: set[int] = set()
    parts: list[list[int]] = []
    for start, rights in enumerate(edges):
        if start in seen or not rights:
            continue
        seen.add(start)
        part, waiting = [], [start]
        while waiting:
            left = waiting.pop()
            part.append(left)
            for right in edges[left]:
                for other in lefts_of.pop(right, ()):
                    if other not in seen:
                        seen.add(other)
                        waiting.append(other)
        parts.append(sorted(part))
    return parts


def _assign_part(edges: Mapping[int, Mapping[int, int]], alone: int) -> dict[int, int]:
    """Give a place to one left one after the other, each along the cheapest path on which others make room.

    A left one's own place of being alone is one of the right ones: -1 for 0, -2 for 1 … Potentials keep the costs of
    Dijkstra's steps at 0 or more (shortest augmenting paths, as in Jonker and Volgenant's algorithm).
    """
    places = {left: {**rights, -1 - left: alone} for left, rights in edges.items()}
    matched: dict[int, int] = {}
    partner: dict[int, int] = {}  # right -> left
    potential: dict[_Node, int] = {}
    for newcomer in places:
        distance, before, end = _nearest_free(newcomer, places, matched, partner, potential)
        reach = distance[_RIGHT, end]
        for node, there in distance.items():
            if there < reach:
                potential[node] = potential.get(node, 0) + there - reach
        while True:  # turn the path: each left one on it takes the right one that it led to
            left = before[end]
            left_behind = matched.get(left)
            matched[left], partner[end] = end, left
            if left_behind is None:
                break
            end = left_behind
    return {left: right for left, right in matched.items() if right >= 0}


def _nearest_free(
    newcomer: int,
    places: Mapping[int, Mapping[int, int]],
    matched: Mapping[int, int],
    partner: Mapping[int, int],
    potential: Mapping[_Node, int],
) -> tuple[dict[_Node, int], dict[int, int], int]:
    """Find the free right one that is nearest to a left one (Dijkstra); there always is one.

    Returns the distances of the nodes that are settled, the left one before each right one, and the right one found.
    """
    settled: dict[_Node, int] = {}
    best: dict[int, int] = {}
    before: dict[int, int] = {}
    heap: list[tuple[int, _Node]] = [(0, (_LEFT, newcomer))]
    while True:
        there, node = heapq.heappop(heap)
        if node in settled:
            continue
        settled[node] = there
        side, index = node
        if side == _RIGHT:
            left = partner.get(index)
            if left is None:
                return settled, before, index
            heapq.heappush(heap, (there, (_LEFT, left)))  # along a pair that is made, whose reduced cost is 0
            continue
        base = there + potential.get(node, 0)
        for right, price in places[index].items():
            distance = base + price - potential.get((_RIGHT, right), 0)
            if matched.get(index) != right and distance < best.get(right, distance + 1):
                best[right] = distance
                before[right] = index
                heapq.heappush(heap, (distance, (_RIGHT, right)))
