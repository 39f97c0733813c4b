"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/lstm.py."""

from __future__ import annotations

import numpy as np
import pytest
from losses import compute, error, net_of, normal

import netsurgery

HIDDEN = 3


INDICATOR = {
    "fed": "",
    "constant": 'layer { name: "i" type: "ContinuationIndicator" top: "cont" '
    "continuation_indicator_param { time_step: 5 batch_size: 2 } }",
    "by batch": 'layer { name: "i" type: "ContinuationIndicator" bottom: "x" top: "cont" '
    "continuation_indicator_param { time_step: 5 axis: 1 } }",
}


def recurrent(type: str, static: bool, exposed: bool, how: str) -> netsurgery.Net:
    gates, states = (4, "hc") if type == "LSTM" else (1, "h")
    inputs: dict[str, tuple[int, ...]] = {"x": (5, 2, 2, 2)}
    if how == "fed":
        inputs["cont"] = (5, 2)
    if static:
        inputs["s"] = (2, 3)
    if exposed:
        inputs |= dict.fromkeys(states, (1, 2, HIDDEN))
    bottoms = " ".join(f'bottom: "{b}"' for b in ("x", "cont", *"s" * static, *states * exposed))
    tops = " ".join(f'top: "{t}"' for t in ("y", *(f"{s}T" for s in states * exposed)))
    draw = np.random.default_rng(1)
    shapes: list[tuple[int, ...]] = [(gates * HIDDEN, 4), (gates * HIDDEN,)]
    shapes += [(gates * HIDDEN, 3)] * static + [(gates * HIDDEN, HIDDEN)]
    shapes += [(HIDDEN, HIDDEN), (HIDDEN,)] if type == "RNN" else []
    return net_of(
        f'{INDICATOR[how]} layer {{ name: "l" type: "{type}" {bottoms} {tops} recurrent_param {{ num_output: {HIDDEN} '
        f"expose_hidden: {str(exposed).lower()} }} }}",
        inputs,
        {"l": [draw.standard_normal(shape).astype(np.float32) for shape in shapes]},
    )


@pytest.mark.parametrize("exposed", [False, True])
@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("type", ["LSTM", "RNN"])
def test_known_indicators_give_what_fed_ones_give(type: str, static: bool, exposed: bool) -> None:
    feeds = {"x": normal(5, 2, 2, 2), "s": normal(2, 3), "h": normal(1, 2, HIDDEN), "c": normal(1, 2, HIDDEN)}
    cont = np.ones((5, 2), np.float32)
    cont[0] = 0
    found = []
    for how in INDICATOR:
        net = recurrent(type, static, exposed, how)
        given = {name: value for name, value in {**feeds, "cont": cont}.items() if name in net.inputs}
        found.append(compute(net, **given))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize("type", ["LSTM", "RNN"])
def test_a_sequence_that_ends_takes_its_state_with_it(type: str) -> None:
    net = recurrent(type, static=True, exposed=True, how="fed")
    feeds = {"x": normal(5, 2, 2, 2), "s": normal(2, 3), "h": normal(1, 2, HIDDEN), "c": normal(1, 2, HIDDEN)}
    feeds = {name: value for name, value in feeds.items() if name in net.inputs}
    cont = np.ones((5, 2), np.float32)
    through = compute(net, cont=cont, **feeds)
    cont[2, 1] = 0
    cut = compute(net, cont=cont, **feeds)
    np.testing.assert_array_equal(cut[:, 0], through[:, 0])
    np.testing.assert_array_equal(cut[:2, 1], through[:2, 1])
    assert np.abs(cut[2:, 1] - through[2:, 1]).max() > 1e-3


def test_an_lstm_whose_sequences_are_known_is_one_node() -> None:
    for how, node in (("constant", "LSTM"), ("fed", "Scan")):
        model = netsurgery.to_onnx(recurrent("LSTM", static=False, exposed=False, how=how))
        assert node in {n.op_type for n in model.graph.node}


def test_a_recurrent_layer_that_lacks_its_states_is_refused() -> None:
    net = net_of(
        'layer { name: "l" type: "LSTM" bottom: "x" bottom: "cont" top: "y" recurrent_param { num_output: 3 expose_hidden: true } }',
        {"x": (5, 2, 4), "cont": (5, 2)},
    )
    assert error(net, x=np.zeros((5, 2, 4)), cont=np.zeros((5, 2))) == (
        "net.prototxt:3: layer 'l' (LSTM): 2 bottoms\n"
        "  expected: 4 or 5: x, indicators, a static input or not, 2 states"
    )
