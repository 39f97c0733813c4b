"""Messages and the places of their fields."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

from netsurgery.errors import Source
from netsurgery.formats.prototxt.text import parse


def test_a_source_says_file_line_and_column() -> None:
    for source in (
        Source(),
        Source("a.prototxt"),
        Source("b.prototxt", 3, 17),
        Source("", 5, 1),
        Source("a", 2**26, 2**26),
    ):
        again = Source(source.file, source.line, source.column)
        assert again == source == pickle.loads(pickle.dumps(source)) == copy.deepcopy(source)
        assert hash(again) == hash(source)
    assert str(Source("b.prototxt", 3, 17)) == "b.prototxt:3"
    assert str(Source("", 3)) == "<text>:3"
    assert not Source()
    assert Source("a", 1, 2) != Source("b", 1, 2)


def test_places_are_the_same_in_another_process(tmp_path: Path) -> None:
    """Files are numbered as they come, and come in another order there."""
    for number in range(5):
        Source(f"other{number}")
    message = parse("layer { name: 'a'\n type: 'b' }", "net.prototxt")
    (tmp_path / "message").write_bytes(pickle.dumps(message))
    code = (
        "import pickle, sys; from netsurgery.errors import Source; Source('elsewhere'); "
        "m = pickle.load(open(sys.argv[1], 'rb')); "
        "print(m.source, *(f.source for f in m.fields), *(f.source for f in m.fields[0].value.fields))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "message")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["net.prototxt:1", "net.prototxt:1", "net.prototxt:1", "net.prototxt:2"]
    assert pickle.loads(pickle.dumps(message)) == message
