"""The journal of a collection, whatever comes between."""

import numpy as np
import pytest

from seco.collect.journal import Journal


class Interrupted:
    """A connection that Ctrl-C meets right after one of its statements."""

    def __init__(self, database, statement):
        self._database, self._statement = database, statement

    def __getattr__(self, name):
        return getattr(self._database, name)

    def execute(self, query, *values):
        found = self._database.execute(query, *values)
        if query == self._statement:
            self._statement = None
            raise KeyboardInterrupt
        return found


@pytest.mark.parametrize(("statement", "kept"), [("BEGIN", False), ("COMMIT", True)])
def test_ctrl_c_around_a_transaction_leaves_all_or_nothing(tmp_path, statement, kept):
    row = {"location_id": "000001", "time": np.datetime64("2021-06-21T10:36:31")}
    journal = Journal(tmp_path)
    journal._database = Interrupted(journal._database, statement)
    with pytest.raises(KeyboardInterrupt):
        journal.accept([row])
    assert journal.accepted() == ({"000001"} if kept else set())
    journal.keep_histogram(b"counts")  # as a collection does when it ends
    journal.accept([row | {"location_id": "000002"}])
    journal.close()
    again = Journal(tmp_path)
    assert "000002" in again.accepted()
    assert again.histogram()[0] == b"counts"
    again.close()
