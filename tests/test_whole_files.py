"""What is being written never has the name of what is whole, and a failure loses nothing."""

from pathlib import Path

import pytest

from synset_factory.whole_files import whole_file, whole_folder, write_text


def test_a_failed_file_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "a.txt"
    write_text(path, "old")
    with pytest.raises(ValueError, match="killed"), whole_file(path) as partial:
        partial.write_text("half")
        raise ValueError("killed")
    assert path.read_text() == "old"
    with whole_file(path) as partial:
        assert path.read_text() == "old" and partial != path
        partial.write_text("new")
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_is_replaced_whole_and_by_nothing_of_a_failed_attempt(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    with whole_folder(folder) as partial:
        (partial / "old").touch()
    with pytest.raises(ValueError, match="killed"), whole_folder(folder) as partial:
        (partial / "half").touch()
        raise ValueError("killed")
    assert [path.name for path in folder.iterdir()] == ["old"]
    with whole_folder(folder) as partial:
        (partial / "new").touch()
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [folder]
