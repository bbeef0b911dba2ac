"""The documents that are made of the code are those that it makes."""

from tests.docs.settings_table import PAGE, page


def test_the_table_of_settings_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: make docs"
