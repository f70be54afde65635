"""How the memory for deliveries is shared out among the endpoints."""

from kobza.call.directory import Endpoint
from kobza.webhooks.backlog import Page
from kobza.webhooks.lane import Lane
from kobza.webhooks.lanes import Lanes
from kobza.webhooks.queue import Delivery

ENDPOINT = Endpoint("e", "https://crm.example/hooks", "token", None, active=True)


def delivery(number: int) -> Delivery:
    return Delivery(f"event {number}", "e", f"call {number}", f"leg {number}", 1, b"{}")


def read(lane: Lane, room: int, *deliveries: Delivery) -> None:
    """Read deliveries into a lane, as many as there is room for."""
    lane.start_scan()
    lane.finish_scan(Page(ENDPOINT, None, complete=True, deliveries=list(deliveries[:room])))


def test_what_all_lanes_hold_is_counted_and_no_longer_once_it_is_delivered() -> None:
    lanes = Lanes(in_flight=2, held=40)
    first, second = lanes.of("a"), lanes.of("b")
    for lane in (first, second):
        read(lane, lanes.page(lane))
    for number in range(3):
        lane = second if number else first
        lane.offer(delivery(number), lanes.room(lane))
    assert lanes.held == 3
    taken = second.queue.take(0, 2)
    assert taken is not None
    second.queue.done(taken)
    assert lanes.held == 2
    assert list(lanes) == [first, second]


def test_a_lane_that_is_empty_while_the_store_is_read_for_it_is_counted_afterwards() -> None:
    lanes = Lanes(in_flight=2, held=40)
    lane = lanes.of("a")
    lane.start_scan()
    room = lanes.page(lane)
    assert lanes.held == 0
    lane.finish_scan(Page(ENDPOINT, None, complete=True, deliveries=[delivery(number) for number in range(room)]))
    assert lanes.held == room == 5


def test_an_endpoint_has_its_share_and_a_few_also_when_others_have_all() -> None:
    lanes = Lanes(in_flight=2, held=8)
    assert lanes.room(lanes.of("a")) == 2  # behind: a half of a quarter, but what may be under way in any case
    for number, name in enumerate("abcdefgh"):
        lane = lanes.of(name)
        read(lane, lanes.page(lane), delivery(number))
    assert lanes.held == 8
    assert lanes.room(lanes.of("a")) == 1
    assert lanes.room(lanes.of("z")) == 2
