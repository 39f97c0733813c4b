"""Numbers that are none: digits of other scripts, five thousand of them, infinities where whole numbers are due."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import netdefs
import pytest

import netsurgery
from netsurgery import NetsurgeryError, vision
from netsurgery.cli.options import parse_size
from netsurgery.formats.load import from_text
from netsurgery.options import from_words, whole_number
from netsurgery.vision.labels import find_channel
from netsurgery.vision.samples import samples
from netsurgery.vision.scan import Scanning

LONG = "9" * 5000


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(NetsurgeryError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize("text", ["\u00b2", LONG, "", "1e3", "0x7", "\u0663", "-", "+-5"])
def test_what_is_no_number_is_refused_as_such(text: str, tmp_path: Path) -> None:
    assert whole_number(text) is whole_number(text, signed=True) is None
    assert refusal(lambda: parse_size(f"{text}x3", 2)).startswith(f"--size {text}x3\n")
    assert refusal(lambda: from_words(Scanning, {"scales": f"3,{text}"})).startswith(f"--scales 3,{text}\n")
    assert "there is no label" in refusal(lambda: find_channel(text or "?", 3, (), "prob"))
    (tmp_path / "list.txt").write_text(f"a.png {text}\n")
    assert "has no label" in refusal(lambda: list(samples(tmp_path / "list.txt")))
    (tmp_path / "list.csv").write_text(f"x,1\na.png,{text}\n")
    assert "has no label" in refusal(lambda: list(samples(tmp_path / "list.csv")))
    assert vision.find_images([tmp_path / "list.txt"])
    assert f"relu#{text}" not in netsurgery.Net(())


def test_signs_are_taken_where_they_may_stand() -> None:
    assert (whole_number("-5"), whole_number("-5", signed=True), whole_number(" 12 ")) == (None, -5, 12)


INPUT = 'input: "x" input_dim: 1 input_dim: 4 input_dim: 6 input_dim: 6 '
LAYERS = {
    "upsample": ('type: "Upsample" bottom: "x" upsample_param { scale: inf }', "scale is inf"),
    "resample": ('type: "Resample" bottom: "x" resample_param { factor: 1e39 type: NEAREST }', "factor is inf"),
    "priors": (
        'type: "PriorBox" bottom: "x" bottom: "x" prior_box_param { fixed_size: 32 density: 2147483647 }',
        "density is [2147483648.0]",
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_parameters_that_are_not_finite_or_endless_are_refused(name: str) -> None:
    text, problem = LAYERS[name]
    net = from_text(f'{INPUT} layer {{ name: "l" top: "y" {text} }}', "net.prototxt")
    assert problem in refusal(net.shapes)


def test_numbers_beyond_float32_warn_nobody() -> None:
    text = (
        'layer { name: "l" type: "Proposal" bottom: "x" bottom: "x" bottom: "x" top: "y" '
        "proposal_param { base_size: 16 ratio: inf ratio: 0 scale: nan scale: 1e38 } }"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from_text(INPUT + text, "net.prototxt")


def test_an_axis_far_behind_the_last_is_refused(tmp_path: Path) -> None:
    operators = [("Add", "x c", "y", {"broadcast": 1, "axis": 2**31 - 1})]
    init, predict = netdefs.Sample(operators, "", {"c": netdefs.numbers(3)}).save(tmp_path)
    said = refusal(lambda: netsurgery.load(init, predict, input_shapes={"x": (2, 3, 7, 8)}))
    assert "shapes (2, 3, 7, 8) and (3,)" in said


def test_names_of_thousands_of_characters_are_held_against_nothing() -> None:
    from netsurgery.layers.core.suggest import meant_field

    assert meant_field(f"pooling{'9' * 20_000}_param", ["pooling_param"], ()) is None


def test_sizes_of_thousands_of_digits_are_shown_shortly(tmp_path: Path) -> None:
    from netsurgery.formats.weights.attach import show_shapes
    from netsurgery.limits import require_values

    assert show_shapes([(3, 2**64 - 1, 10**5000), ()]) == "3x18446744073709551615x2^16609, scalar"
    assert "a blob of shape 1x2^16609\n" in refusal(lambda: require_values((1, 10**5000), "a blob"))
