from kobza.store.ids import new_enterprise_id, new_id, new_token


def test_ids_grow_and_differ() -> None:
    made = [new_id() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert {len(text) for text in made} == {32}
    assert {text[12] for text in made} == {"7"}
    assert {text[16] for text in made} <= set("89ab")
    moments = [text[:12] for text in made]
    assert moments == sorted(moments)
    assert len({new_token() for _ in range(100)}) == 100
    assert len({new_enterprise_id() for _ in range(100)}) == 100
