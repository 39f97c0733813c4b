"""caffe.Classifier: a net that takes images and gives the probabilities of their classes.

Source: BVLC Caffe, python/caffe/classifier.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import io
from .net import Net
from .proto import caffe_pb2


def transformer_for(
    net: Net, mean: Any, input_scale: float | None, raw_scale: float | None, channel_swap: Sequence[int] | None
) -> io.Transformer:
    """The Transformer of a net's first input for H x W x C images, with the settings that are not None."""
    name = net.inputs[0]
    transformer = io.Transformer({name: net.blobs[name].data.shape})
    transformer.set_transpose(name, (2, 0, 1))
    if mean is not None:
        transformer.set_mean(name, mean)
    if input_scale is not None:
        transformer.set_input_scale(name, input_scale)
    if raw_scale is not None:
        transformer.set_raw_scale(name, raw_scale)
    if channel_swap is not None:
        transformer.set_channel_swap(name, channel_swap)
    return transformer


class Classifier(Net):
    """A net in the phase TEST with its preprocessing.

    image_dims: (H, W) that images are brought to before crops are taken; the size of the net's input if not said.
    mean, input_scale, raw_scale, channel_swap: of the Transformer.
    """

    def __init__(
        self,
        model_file: str,
        pretrained_file: str,
        image_dims: Sequence[int] | None = None,
        mean: Any = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ) -> None:
        Net.__init__(self, model_file, caffe_pb2.TEST, weights=pretrained_file)
        self.transformer = transformer_for(self, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims = np.array(self.blobs[self.inputs[0]].data.shape[2:])
        # an array of dims has no truth, None and () have
        self.image_dims = self.crop_dims if image_dims is None or len(image_dims) == 0 else image_dims

    def predict(self, inputs: Sequence[NDArray[Any]], oversample: bool = True) -> NDArray[Any]:
        """The first output for each image: the mean over ten crops, or of the centre if oversample is False.

        Shapes: N of (H, W, C) -> (N, classes) with oversample, else the output's own.
        """
        height, width = (int(n) for n in self.image_dims)
        batch = np.stack([io.resize_image(image, (height, width)) for image in inputs])
        if oversample:
            batch = io.oversample(batch, self.crop_dims)
        else:
            h, w = (int(n) for n in self.crop_dims)
            top, left = int(height / 2.0 - h / 2.0), int(width / 2.0 - w / 2.0)
            batch = batch[:, top : top + h, left : left + w]
        name = self.inputs[0]
        ready = np.stack([self.transformer.preprocess(name, image) for image in batch])
        scores: NDArray[Any] = self.forward_all(None, **{name: ready})[self.outputs[0]]
        return scores.reshape(len(scores) // 10, 10, -1).mean(1) if oversample else scores
