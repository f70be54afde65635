from kobza.call.directory import Endpoint
from kobza.store import Store, endpoints


def test_an_endpoint_is_switched_off_and_on_again(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        assert endpoints.get(conn, enterprise_id) is None
        assert endpoints.status(conn, enterprise_id) is None
        endpoints.set(conn, enterprise_id, "https://a.example", "t", now_ms=1)
        assert endpoints.deactivate(conn, enterprise_id, "410 Gone", 2)
        assert not endpoints.deactivate(conn, enterprise_id, "again", 3)
        endpoint = endpoints.get(conn, enterprise_id)
        assert endpoint is not None
        assert not endpoint.active
        assert endpoints.status(conn, enterprise_id) == (False, "410 Gone", 2, None)
        assert endpoints.activate(conn, enterprise_id, 4)
        assert not endpoints.activate(conn, enterprise_id, 5)
        assert endpoints.status(conn, enterprise_id) == (True, None, 4, None)


def test_setting_an_endpoint_again_replaces_it_and_switches_it_on(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        endpoints.set(conn, enterprise_id, "https://a.example", "t", "secret", extended=True)
        endpoints.deactivate(conn, enterprise_id, "410 Gone", 2)
        endpoints.set(conn, enterprise_id, "https://b.example", "u")
        assert endpoints.load(conn) == [Endpoint(enterprise_id, "https://b.example", "u")]
