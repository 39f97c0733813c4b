"""A small net, and what a rewritten one is held to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from small_nets import with_random_weights

import netsurgery
from netsurgery.difference import diff
from netsurgery.errors import NetsurgeryError, RewriteError
from netsurgery.formats.load import from_text
from netsurgery.formats.save import to_prototxt
from netsurgery.net import Net

DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 6 dim: 6 } } }\n'


CONV = 'layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 } }\n'


RELU = 'layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }\n'


DROP = 'layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }\n'


POOL = 'layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: MAX kernel_size: 2 } }\n'


FC = 'layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc" inner_product_param { num_output: 2 } }\n'


PROB = 'layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }\n'


NET = DATA + CONV + RELU + DROP + POOL + FC + PROB


def net() -> Net:
    return with_random_weights(from_text(NET, "net.prototxt"))


def both(made: Net, text: str) -> None:
    """`made` is the net that `text` describes, apart from its weights; and it can be written and read again."""
    want = from_text(text)
    found = diff(from_text(to_prototxt(made)), want, training=True)
    assert not found.changed and not found.added and not found.removed, found.lines
    assert [x.name for x in made.layers] == [x.name for x in want.layers]
    assert made.blobs == want.blobs


def refusal(call: Callable[[], object], kind: type[NetsurgeryError] = RewriteError) -> str:
    with pytest.raises(kind) as error:
        call()
    return str(error.value)


def values(made: Net, blob: str, feeds: dict[str, np.ndarray] | None = None) -> np.ndarray:
    rng = np.random.default_rng(3)
    given = feeds or {k: rng.normal(size=s).astype(np.float32) for k, s in made.inputs.items() if s}
    return netsurgery.run(made, given, [blob])[blob]
