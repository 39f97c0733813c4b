"""What `classify` says of a picture for which fixtures/pixels/record.py asked caffe.Classifier."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import netsurgery
from netsurgery import vision
from netsurgery.formats.load import from_text
from netsurgery.formats.preprocessing import Preprocessing, read_mean

Array = np.ndarray[Any, Any]


def scores(folder: Path, expected: Mapping[str, Array], key: str) -> Array:
    """Scores by channel, for a key like 3/image/24x27/ten."""
    channels, mean, dims, way = key.split("/")
    height, width = map(int, dims.split("x"))
    means = {
        "image": lambda: read_mean(str(folder / f"mean_{channels}.binaryproto")),
        "values": lambda: np.arange(100.0, 100 + int(channels)),
        "none": lambda: None,
    }
    done = Preprocessing(means[mean](), 0.5, 255, resize=(height, width))
    net, photo = classifier(expected, int(channels)), str(folder / "photo.png")
    classes = vision.classify(net, photo, output="fc", top=3, oversample=way == "ten", preprocessing=done)
    return np.array([score for _, score in sorted((x.channel, x.score) for x in classes)])


def classifier(expected: Mapping[str, Array], channels: int) -> netsurgery.Net:
    net = from_text(
        f"""input: "data" input_shape {{ dim: 10 dim: {channels} dim: 15 dim: 16 }}
        layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
          convolution_param {{ num_output: 4 kernel_size: 5 stride: 3 }} }}
        layer {{ name: "relu" type: "ReLU" bottom: "conv" top: "conv" }}
        layer {{ name: "fc" type: "InnerProduct" bottom: "conv" top: "fc" inner_product_param {{ num_output: 3 }} }}"""
    )
    for name in ("conv", "fc"):
        net = net.with_weights(name, *(expected[f"weights/{channels}/{name}/{k}"] for k in (0, 1)))
    return net
