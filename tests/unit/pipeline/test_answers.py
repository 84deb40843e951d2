"""The store of answers: whole or not there, whatever happens, and found by key ever after."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converters.errors import SettingsError
from pipeline import answer_files
from pipeline.answer_files import AnswerFiles, raw_key, write_answers
from pipeline.answers import ANSWERS_FOLDER, AnswerStore
from pipeline.captioner import Answer
from pipeline.journal import Journal, Kept, _checksum, decode, encode, read_journal, whole_lines

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
ANSWER = st.builds(
    Answer,
    text=TEXT,
    finish_reason=st.sampled_from(["stop", "length", "content_filter"]),
    tokens_in=st.integers(0, 1 << 40),
    tokens_out=st.integers(0, 1 << 40),
)


def key_of(number: int) -> str:
    return f"sha256:{sha256(str(number).encode()).hexdigest()}"


KEPT = st.builds(Kept, key=st.integers(0, 1 << 30).map(key_of), answer=ANSWER)


def said(number: int) -> Answer:
    return Answer(text=f"answer {number}", tokens_in=number, tokens_out=1)


@given(kept=KEPT)
def test_a_line_gives_back_what_was_written(kept: Kept) -> None:
    assert decode(encode(kept)[:-1]) == kept


@given(kept=st.lists(KEPT, min_size=1, max_size=4))
@settings(max_examples=25)
def test_a_journal_cut_at_any_byte_holds_the_answers_before_the_cut(kept: list[Kept]) -> None:
    lines = [encode(one) for one in kept]
    whole = b"".join(lines)
    ends = [sum(map(len, lines[: count + 1])) for count in range(len(lines))]
    for cut in range(len(whole) + 1):
        before = kept[: sum(end <= cut for end in ends)]
        assert list(whole_lines(BytesIO(whole[:cut]))) == before
        assert list(whole_lines(BytesIO(whole[:cut] + bytes(64)))) == before  # a crashed disk


@given(kept=st.lists(KEPT, min_size=1, max_size=4), data=st.data())
def test_damage_loses_answers_and_makes_none_up(kept: list[Kept], data: st.DataObject) -> None:
    content = bytearray(b"".join(map(encode, kept)))
    start = data.draw(st.integers(0, len(content) - 1))
    damage = data.draw(st.binary(min_size=1, max_size=8) | st.just(bytes(64)))
    content[start : start + len(damage)] = damage
    read = list(whole_lines(BytesIO(content)))
    assert [one for one in read if one not in kept] == []


def test_a_damaged_line_takes_no_other_with_it() -> None:
    kept = [Kept(key=key_of(number), answer=said(number)) for number in range(3)]
    content = bytearray(b"".join(map(encode, kept)))
    content[len(encode(kept[0])) + 60] ^= 1
    assert list(whole_lines(BytesIO(content))) == [kept[0], kept[2]]


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b"[" * 100_000, b'["sha256:x","t","stop",1,2]', b'[1,"t","stop",1,2]']
)
def test_a_line_with_a_checksum_that_somebody_else_wrote_counts_as_not_there(body: bytes) -> None:
    assert decode(_checksum(body) + b" " + body) is None


def test_an_answer_is_found_at_once_and_after_closing_and_by_the_next_run(tmp_path: Path) -> None:
    with AnswerStore(tmp_path) as store:
        with store.open("part") as opened:
            opened.put(key_of(1), said(1))
            assert store.find([key_of(1), key_of(2)]) == {key_of(1): said(1)}
        assert store.find([key_of(1)]) == {key_of(1): said(1)}
    with AnswerStore(tmp_path) as store:
        assert store.find([key_of(1)]) == {key_of(1): said(1)}
        assert len(store) == 1


def test_a_closed_partition_is_one_file_and_no_journal(tmp_path: Path) -> None:
    with AnswerStore(tmp_path) as store, store.open("part") as opened:
        opened.put(key_of(1), said(1))
    names = [path.name for path in (tmp_path / ANSWERS_FOLDER).iterdir()]
    assert len(names) == 1
    assert names[0].startswith("part-")
    assert names[0].endswith(".parquet")


def test_a_partition_that_was_not_closed_goes_on_from_its_journal(tmp_path: Path) -> None:
    with AnswerStore(tmp_path) as store:
        store.open("part").put(key_of(1), said(1))
    with AnswerStore(tmp_path) as store:
        assert store.find([key_of(1)]) == {key_of(1): said(1)}
        with store.open("part") as opened:
            opened.put(key_of(2), said(2))
    paths = list((tmp_path / ANSWERS_FOLDER).iterdir())
    assert [pq.read_metadata(path).num_rows for path in paths] == [2]


@given(kept=st.lists(KEPT, max_size=6), data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_answers_give_the_same_file_in_any_order(
    kept: list[Kept], data: st.DataObject, tmp_path: Path
) -> None:
    one = write_answers(tmp_path, "p", kept)
    other = write_answers(tmp_path, "p", data.draw(st.permutations(kept)))
    assert one == other


def test_a_file_is_not_replaced_where_another_of_its_name_lies_there(tmp_path: Path) -> None:
    kept = [Kept(key=key_of(1), answer=said(1))]
    path = write_answers(tmp_path, "p", kept)
    assert path
    path.write_bytes(b"cut by a disk")
    other = write_answers(tmp_path, "p", kept)
    assert other != path
    assert path.read_bytes() == b"cut by a disk"


@given(files=st.lists(st.lists(st.integers(0, 60), max_size=12), max_size=8), order=st.randoms())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_every_key_is_found_among_many_files(
    files: list[list[int]], order: random.Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("files")
    known = AnswerFiles(folder)
    for place, numbers in enumerate(files):
        write_answers(folder, f"p{place}", [Kept(key=key_of(n), answer=said(n)) for n in numbers])
        if order.random() < 0.5:
            known.refresh()
    known.refresh()
    found = known.find([raw_key(key_of(number)) for number in range(70)])
    expected = {raw_key(key_of(n)): said(n) for numbers in files for n in numbers}
    assert found == expected


def test_keys_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    keys = [f"sha256:{'0' * 63}{digit}" for digit in "123"]
    write_answers(tmp_path, "a", [Kept(key=keys[0], answer=said(0))])
    write_answers(tmp_path, "b", [Kept(key=keys[1], answer=said(1))])
    known = AnswerFiles(tmp_path)
    known.refresh()
    found = known.find(map(raw_key, keys))
    assert found == {raw_key(keys[0]): said(0), raw_key(keys[1]): said(1)}


def test_which_of_two_answers_is_taken_does_not_depend_on_the_order(tmp_path: Path) -> None:
    key = key_of(1)
    for name, number in (("a", 7), ("b", 3)):
        write_answers(tmp_path, name, [Kept(key=key, answer=said(number))])
    known = AnswerFiles(tmp_path)
    known.refresh()
    assert known.find([raw_key(key)]) == {raw_key(key): said(3)}


@pytest.mark.parametrize("cut", [0, 3, 100, -1, -9])
def test_a_damaged_file_is_left_out_and_named(cut: int, tmp_path: Path) -> None:
    with AnswerStore(tmp_path) as store, store.open("part") as opened:
        opened.put(key_of(1), said(1))
    (path,) = (tmp_path / ANSWERS_FOLDER).iterdir()
    path.write_bytes(path.read_bytes()[:cut])
    with AnswerStore(tmp_path) as store:
        assert store.find([key_of(1)]) == {}
        assert list(store.unreadable) == [str(path)]


def test_any_byte_that_changed_in_a_file_is_seen(tmp_path: Path) -> None:
    path = write_answers(tmp_path, "p", [Kept(key=key_of(1), answer=said(1))])
    assert path
    content = path.read_bytes()
    for place in range(0, len(content), 5):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        known = AnswerFiles(tmp_path)
        known.refresh()
        assert known.find([raw_key(key_of(1))]) == {}


def test_a_parquet_file_of_something_else_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / ANSWERS_FOLDER
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"key": ["x"]}), folder / "other.parquet")
    with AnswerStore(tmp_path) as store:
        assert len(store) == 0
        assert len(store.unreadable) == 1


@pytest.mark.parametrize("part", ["", str(ANSWERS_FOLDER)])
def test_another_store_is_read_and_not_written(part: str, tmp_path: Path) -> None:
    with AnswerStore(tmp_path / "one") as store:
        with store.open("closed") as opened:
            opened.put(key_of(1), said(1))
        store.open("left").put(key_of(2), said(2))
    before = sorted((tmp_path / "one").rglob("*"))
    with AnswerStore(tmp_path / "two", reuse=[tmp_path / "one" / part]) as store:
        assert store.find([key_of(1), key_of(2)]) == {key_of(1): said(1), key_of(2): said(2)}
    assert sorted((tmp_path / "one").rglob("*")) == before


def test_a_folder_without_answers_cannot_be_reused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="holds no answers"):
        AnswerStore(tmp_path / "two", reuse=[tmp_path])


def test_an_answer_with_an_error_is_not_kept(tmp_path: Path) -> None:
    with AnswerStore(tmp_path) as store:
        opened = store.open("p")
        with pytest.raises(ValueError, match="not kept"):
            opened.put(key_of(1), Answer(text="", error="timeout"))
    with AnswerStore(tmp_path) as store:
        assert len(store) == 0


@pytest.mark.parametrize("name", ["", ".", "../x", "a/b", ".hidden", "a" * 200])
def test_a_partition_has_a_name_that_is_a_file_name(name: str, tmp_path: Path) -> None:
    with AnswerStore(tmp_path) as store, pytest.raises(ValueError, match="not the name"):
        store.open(name)


def test_journals_that_nobody_goes_on_with_become_files(tmp_path: Path) -> None:
    with AnswerStore(tmp_path) as store:
        store.open("old").put(key_of(1), said(1))
    with AnswerStore(tmp_path) as store:
        store.merge_left()
        assert store.find([key_of(1)]) == {key_of(1): said(1)}
    assert [path.suffix for path in (tmp_path / ANSWERS_FOLDER).iterdir()] == [".parquet"]


def test_a_journal_that_another_writer_holds_is_left(tmp_path: Path) -> None:
    with AnswerStore(tmp_path) as one, AnswerStore(tmp_path) as two:
        held = one.open("p")
        with two.open("p") as opened:
            opened.put(key_of(2), said(2))
        held.put(key_of(1), said(1))
        held.close()
    with AnswerStore(tmp_path) as store:
        assert store.find([key_of(1), key_of(2)]) == {key_of(1): said(1), key_of(2): said(2)}


def test_what_is_put_is_on_the_disk_within_a_fifth_of_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[float] = []
    monkeypatch.setattr(os, "fsync", lambda _descriptor: synced.append(time.monotonic()))
    with AnswerStore(tmp_path) as store, store.open("p") as opened:
        synced.clear()
        begin = time.monotonic()
        opened.put(key_of(1), said(1))
        while not synced and time.monotonic() < begin + 10:
            time.sleep(0.001)
        waited = synced[0] - begin
    assert 0 < waited < 0.2 + 0.3  # a busy machine


def full_disk(_descriptor: int, data: bytes) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_nothing_is_put_behind_a_line_that_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, "p")
    journal.put(Kept(key=key_of(1), answer=said(1)))
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full_disk)
        with pytest.raises(OSError, match="No space"):
            journal.put(Kept(key=key_of(2), answer=said(2)))
    with pytest.raises(OSError, match="No space"):
        journal.put(Kept(key=key_of(3), answer=said(3)))
    with pytest.raises(OSError, match="No space"):
        journal.close()
    assert [kept.answer for kept in read_journal(journal.path)] == [said(1)]


def test_a_write_in_pieces_gives_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    journal = Journal(tmp_path, "p")
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    journal.put(Kept(key=key_of(1), answer=said(1)))
    monkeypatch.undo()
    journal.close()
    assert [kept.answer for kept in read_journal(journal.path)] == [said(1)]


WRITER = """
import sys
from hashlib import sha256
from pathlib import Path
from pipeline.answers import AnswerStore
from pipeline.captioner import Answer
first, size = int(sys.argv[3]), int(sys.argv[4])
with AnswerStore(Path(sys.argv[1])) as store:
    with store.open(sys.argv[2]) as opened:
        for number in range(first, first + size):
            key = f"sha256:{sha256(str(number).encode()).hexdigest()}"
            opened.put(key, Answer(text=f"answer {number}", tokens_in=number, tokens_out=1))
            print(number, flush=True)
    print("closed", flush=True)
"""


@pytest.fixture
def writer(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], Path]]]:
    """Starts a process that puts answers into a partition and says each number behind it."""
    started: list[subprocess.Popen[bytes]] = []

    def start(partition: str, first: int, size: int) -> tuple[subprocess.Popen[bytes], Path]:
        command = [sys.executable, "-c", WRITER, str(tmp_path), partition, str(first), str(size)]
        path = tmp_path_factory.mktemp("said") / "numbers"
        with path.open("wb") as file:
            started.append(subprocess.Popen(command, stdout=file))
        return started[-1], path

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("seed", range(3))
def test_a_writer_killed_at_any_moment_leaves_every_answer_that_was_put(
    seed: int, tmp_path: Path, writer: Callable[..., tuple[subprocess.Popen[bytes], Path]]
) -> None:
    draw = random.Random(seed)
    process, heard = writer("p", 0, 2000)
    enough = draw.randint(1, 1999)
    while len(heard.read_text().splitlines()) < enough and process.poll() is None:
        time.sleep(draw.random() * 0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    numbers = [int(line) for line in heard.read_text().splitlines() if line.isdigit()]
    with AnswerStore(tmp_path) as store:
        found = store.find(map(key_of, range(2000)))
        assert {key_of(number) for number in numbers} <= found.keys()
        assert all(found[key_of(n)] == said(n) for n in range(2000) if key_of(n) in found)
        store.open("p").close()
        assert store.find(map(key_of, range(2000))) == found
    assert [path.suffix for path in (tmp_path / ANSWERS_FOLDER).iterdir()] == [".parquet"]


def test_two_writers_in_two_partitions_do_not_disturb_each_other(
    tmp_path: Path, writer: Callable[..., tuple[subprocess.Popen[bytes], Path]]
) -> None:
    (tmp_path / ANSWERS_FOLDER).mkdir(parents=True)
    writers = [writer("a", 0, 400)[0], writer("b", 300, 400)[0]]
    seen: set[str] = set()
    while any(process.poll() is None for process in writers):
        with AnswerStore(tmp_path) as reader:  # reads while others write and close
            found = reader.find(map(key_of, range(700)))
        assert all(answer == said(answer.tokens_in) for answer in found.values())
        assert seen <= found.keys()
        seen = set(found)
    assert [process.wait() for process in writers] == [0, 0]
    with AnswerStore(tmp_path) as store:
        assert len(store.find(map(key_of, range(700)))) == 700
    assert len(list((tmp_path / ANSWERS_FOLDER).iterdir())) == 2


def test_few_contents_are_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_files, "_OPEN_FILES", 2)
    for number in range(6):
        write_answers(tmp_path, f"p{number}", [Kept(key=key_of(number), answer=said(number))])
    known = AnswerFiles(tmp_path)
    known.refresh()
    assert len(known.find(raw_key(key_of(number)) for number in range(6))) == 6
    assert len(known._open) == 2
