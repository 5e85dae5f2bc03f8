"""Places in listings by time: where the next listing begins, whatever became of this one (INV-3)."""

from apps.sync.connectors.listing import Place

REST = Place(at=100, heard=100)


def test_a_listing_of_one_page_is_followed_from_its_end() -> None:
    assert REST.after((130, "b"), is_last=True) == Place(130, 130)


def test_of_a_longer_listing_only_the_first_page_counts() -> None:
    """Whenever the second was asked: the first was asked when nobody had heard of anything newer than 110."""
    place = REST.after((110, "a"), is_last=False)
    assert (place.at, place.id) == (110, "a")
    assert place.after((900, "b"), is_last=True) == Place(110, 900)


def test_what_a_longer_listing_told_is_gone_over_once() -> None:
    place = Place(at=110, heard=900).after((400, "a"), is_last=False)
    assert place.after((800, "b"), is_last=False).after((950, "c"), is_last=True) == Place(900, 950)


def test_an_empty_page_moves_nothing_back() -> None:
    assert REST.after(None, is_last=True) == REST
    assert Place(at=110, heard=900).after(None, is_last=True) == Place(900, 900)
    under_way = Place(at=500, heard=110, id="a")
    assert under_way.after(None, is_last=False) == under_way
    assert under_way.after(None, is_last=True).at == 110


def test_what_was_told_ends_where_the_next_row_may_still_show_late() -> None:
    def earlier(at: int) -> int:
        return at - 60

    assert Place(at=100, heard=900).told_until(earlier) == 40
    assert Place(at=100, heard=900, id="a").told_until(earlier) == 100
    assert Place(at=895, heard=900, id="a").told_until(earlier) == 840
