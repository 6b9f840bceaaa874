"""Which parts of a journal count, and in which order they are replayed, without I/O."""

from __future__ import annotations

import pytest

from airflow_provider_asposeocr.batch.parts import BrokenPartError, Part, PartName
from airflow_provider_asposeocr.batch.records import Intent, Reference, Replanned, record_to_dict
from airflow_provider_asposeocr.batch.replay import GapError, arrange
from airflow_provider_asposeocr.batch.state import replay
from tests.support.parts import name, part

HEADER = {"sources": ["/in/a.png"]}


def snapshot(epoch: int, sequence: int, after: tuple[int, int], *replaces: tuple[int, int]) -> Part:
    replaced = [name(*numbers).text for numbers in replaces]
    return part(epoch, sequence, after, replaces=replaced)


BEGIN = part(1, 0, header=HEADER)


def order(*parts: Part, broken: dict[PartName, BrokenPartError] | None = None) -> list[list[int]]:
    """Return which parts are replayed, in their order."""
    found = arrange(parts, {name.text: error for name, error in (broken or {}).items()})
    return [record["part"] for record in found.records]


class TestReplay:
    def test_parts_are_replayed_in_the_order_of_the_commits(self) -> None:
        assert order(part(1, 2, (1, 1)), BEGIN, part(1, 10, (1, 2)), part(1, 1, (1, 0))) == [
            [1, 1],
            [1, 2],
            [1, 10],
        ]

    def test_a_journal_that_was_begun_only_has_a_header(self) -> None:
        found = arrange([BEGIN])
        assert (found.header, found.records, found.last) == (HEADER, [], ("epochs/000001.jsonl",))
        assert arrange([]).header is None

    def test_a_later_epoch_goes_on_where_the_earlier_one_ended(self) -> None:
        parts = [BEGIN, part(1, 1, (1, 0)), part(2, 0), part(3, 0), part(3, 1, (1, 1))]
        assert order(*parts) == [[1, 1], [3, 1]]

    def test_a_commit_whose_answer_was_lost_is_not_replayed_twice(self) -> None:
        """The writer has sent the records of 1-2 again as 1-3."""
        parts = [BEGIN, part(1, 1, (1, 0)), part(1, 2, (1, 1)), part(1, 3, (1, 1))]
        assert order(*parts) == [[1, 1], [1, 3]]
        assert list(arrange(parts).ignored) == [name(1, 2).text]

    def test_the_last_commit_counts_although_its_writer_never_got_the_answer(self) -> None:
        assert order(BEGIN, part(1, 1, (1, 0))) == [[1, 1]]

    def test_a_broken_tail_is_a_commit_that_never_happened(self) -> None:
        cut = BrokenPartError("it is cut")
        found = arrange([BEGIN, part(1, 1, (1, 0))], {name(1, 2).text: cut})
        assert [record["part"] for record in found.records] == [[1, 1]]
        assert found.last == (name(1, 1).text,)
        assert found.ignored == {name(1, 2).text: "it is cut"}

    def test_so_is_the_tail_of_an_earlier_epoch(self) -> None:
        cut = {name(1, 2): BrokenPartError("it is cut")}
        assert order(BEGIN, part(1, 1, (1, 0)), part(2, 0), part(2, 1, (1, 1)), broken=cut) == [
            [1, 1],
            [2, 1],
        ]

    def test_a_broken_first_part_of_an_epoch_began_nothing(self) -> None:
        assert arrange([], {name(1, 0).text: BrokenPartError("it is cut")}).header is None

    def test_a_broken_part_that_was_durable_is_an_error(self) -> None:
        cut = {name(1, 1).text: BrokenPartError("it is cut")}
        with pytest.raises(GapError, match=f"{name(1, 1).text} cannot be read: it is cut"):
            arrange([BEGIN, part(1, 2, (1, 1))], cut)

    def test_a_missing_part_that_was_durable_is_an_error(self) -> None:
        with pytest.raises(GapError, match=f"{name(1, 1).text} is missing, although {name(1, 2).text}"):
            arrange([BEGIN, part(1, 2, (1, 1)), part(1, 3, (1, 2))])

    def test_so_is_a_missing_end_of_an_earlier_epoch(self) -> None:
        with pytest.raises(GapError, match=name(1, 2).text):
            arrange([BEGIN, part(1, 1, (1, 0)), part(2, 0), part(2, 1, (1, 2))])

    def test_so_is_a_missing_header(self) -> None:
        with pytest.raises(GapError, match="epochs/000001.jsonl is missing"):
            arrange([part(1, 1, (1, 0))])

    def test_and_a_header_that_is_missing_behind_a_snapshot(self) -> None:
        with pytest.raises(GapError, match="epochs/000001.jsonl is missing"):
            arrange([part(2, 0), snapshot(2, 1, (1, 1), (1, 1))])

    def test_a_broken_last_part_counts_what_it_names(self) -> None:
        """The head of a cut part can be read, and the part that it names was durable before."""
        cut = BrokenPartError("it is cut", part(1, 2, (1, 1), records=()))
        with pytest.raises(GapError, match=name(1, 1).text):
            arrange([BEGIN], {name(1, 2).text: cut})

    def test_an_empty_part_may_have_been_a_snapshot(self) -> None:
        """What a snapshot has replaced is deleted: without this, the journal would read as if nothing was done."""
        empty = BrokenPartError("its first line is cut")
        with pytest.raises(GapError, match=name(1, 9).text):
            arrange([BEGIN], {name(1, 9).text: empty})

    def test_all_records_that_were_durable_are_counted(self) -> None:
        parts = [BEGIN, part(1, 1, (1, 0)), part(1, 2, (1, 1), acknowledged=1)]
        assert arrange(parts).acknowledged == 2
        replaced = snapshot(1, 3, (1, 2), (1, 1), (1, 2))
        kept = Part(**{**vars(replaced), "acknowledged": 2, "records": ({}, {}, {})})
        assert arrange([BEGIN, kept]).acknowledged == 2
        assert arrange([BEGIN, kept, part(1, 4, (1, 3), acknowledged=2)]).acknowledged == 3


class TestSnapshots:
    PARTS = (BEGIN, part(1, 1, (1, 0)), part(1, 2, (1, 1)))

    def test_a_snapshot_stands_for_what_it_replaces(self) -> None:
        replaced = snapshot(1, 3, (1, 2), (1, 1), (1, 2))
        after = part(1, 4, (1, 3))
        assert order(*self.PARTS, replaced, after) == [[1, 3], [1, 4]]
        assert order(BEGIN, replaced, after) == [[1, 3], [1, 4]]
        assert arrange([BEGIN, replaced, after]).parts_to_replay == 2

    def test_a_part_that_it_does_not_list_is_replayed_after_it(self) -> None:
        """A process of an earlier epoch has written a reference too late to be seen."""
        late = part(1, 3, (1, 2))
        replaced = snapshot(2, 1, (1, 2), (1, 1), (1, 2))
        assert order(BEGIN, part(2, 0), replaced, late) == [[2, 1], [1, 3]]

    def test_also_if_what_it_follows_was_replaced_twice(self) -> None:
        late = part(1, 3, (1, 2))
        second = snapshot(2, 2, (2, 1), (2, 1))
        assert order(BEGIN, part(2, 0), second, late) == [[2, 2], [1, 3]]

    def test_a_snapshot_whose_answer_was_lost_replaces_nothing(self) -> None:
        lost = snapshot(1, 3, (1, 2), (1, 1), (1, 2))
        assert order(*self.PARTS, lost, part(1, 4, (1, 2))) == [[1, 1], [1, 2], [1, 4]]

    def test_a_broken_snapshot_replaces_nothing(self) -> None:
        head = snapshot(1, 3, (1, 2), (1, 1), (1, 2))
        cut = {name(1, 3): BrokenPartError("it is cut", head)}
        assert order(*self.PARTS, broken=cut) == [[1, 1], [1, 2]]

    def test_of_two_snapshots_the_later_one_comes_last(self) -> None:
        """A process that was taken over from has written one, too."""
        late = snapshot(1, 3, (1, 2), (1, 1), (1, 2))
        ours = snapshot(2, 1, (1, 2), (1, 1), (1, 2))
        assert order(BEGIN, part(2, 0), ours, late) == [[1, 3], [2, 1]]

    def test_a_part_that_the_next_process_had_not_read_comes_after_what_that_process_wrote(self) -> None:
        late = part(1, 2, (1, 1))
        second = [part(2, 0), part(2, 1, (1, 1)), part(2, 2, (2, 1))]
        third = [part(3, 0), part(3, 1, (1, 2), (2, 2))]
        begun = [BEGIN, part(1, 1, (1, 0))]
        assert order(*begun, *second, late) == [[1, 1], [2, 1], [2, 2], [1, 2]]
        assert order(*begun, *second, late, *third) == [[1, 1], [2, 1], [2, 2], [1, 2], [3, 1]]

    def test_steps_that_were_changed_too_late_do_not_count(self) -> None:
        """The process had lost the batch. Its next owner has sent a document for the steps before, and made no snapshot."""
        changed = Replanned([{"operation": "RecognizeImage", "settings": {}}], 0, True)
        reference = Reference(0, 0, "UpscaleImage", "id", 1_800_000_000.0, 20_000, "aa")
        late = part(1, 1, (1, 0), records=(record_to_dict(changed, 1),))
        sent = [record_to_dict(record, 2) for record in (Intent(0, 0), reference)]
        found = arrange([BEGIN, late, part(2, 0), part(2, 1, (1, 0), records=sent)])
        state = replay(found.records)
        assert (state.replanned, state.of(0).running) == (None, reference)

    def test_the_next_commit_names_the_end_of_each_epoch(self) -> None:
        late = part(1, 3, (1, 2))
        found = arrange([*self.PARTS, late, part(2, 0), part(2, 1, (1, 2)), part(3, 0)])
        assert found.last == (name(1, 3).text, name(2, 1).text)
