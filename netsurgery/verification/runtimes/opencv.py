"""Nets in OpenCV 4's dnn module, the last maintained reader of Caffe's files besides ours: an independent second opinion."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import NetsurgeryError, Source, UnavailableError
from ...files.packages import package
from ...net import Net
from .as_caffe import caffe_files
from .base import NetRuntime

if TYPE_CHECKING:
    from .base import Array, Feeds, Model


class OpenCV(NetRuntime):
    """A net in OpenCV. Its values go by layer: it can be asked for the top of a layer that has one, and for outputs."""

    note: str = (
        "a second opinion that errs itself in places: of 4.14 it is known for LRN and MVN with fields set, PriorBox, InnerProduct with "
        "transpose, Log with a base, Swish with beta, Deconvolution with dilation, and some layers of forks"
    )

    def __init__(self, net: Net, cv2: Any) -> None:
        super().__init__(net)
        self.cv2 = cv2
        self.name = f"OpenCV {cv2.__version__}"
        with caffe_files(net) as files:
            try:
                self.dnn = cv2.dnn.readNetFromCaffe(str(files.prototxt), str(files.weights or ""))
            except cv2.error as error:
                raise self._failure("does not read the net", error) from None
        self.dnn.enableFusion(False)
        self.dnn.enableWinograd(False)  # it saves products and costs digits
        names = set(self.dnn.getLayerNames())
        self._layers = {
            layer.tops[0]: layer.name for layer in net.layers if len(layer.tops) == 1 and layer.name in names
        }
        # OpenCV adds a layer for every output whose writer has another name
        self._layers |= {blob: blob for blob in net.outputs if blob not in self._layers and blob in names}

    @property
    def versions(self) -> Mapping[str, str]:
        return {"opencv": self.cv2.__version__}

    @property
    def blobs(self) -> Collection[str]:
        return self._layers

    def run(self, feeds: Feeds, blobs: Collection[str]) -> dict[str, Array]:
        asked = [blob for blob in blobs if blob in self._layers]
        if not asked:
            return {}
        try:
            for blob, array in feeds.items():
                self.dnn.setInput(np.ascontiguousarray(array, np.float32), blob)
            values = self.dnn.forward([self._layers[blob] for blob in asked])
        except self.cv2.error as error:
            raise self._failure("fails", error) from None
        return dict(zip(asked, map(np.array, values), strict=True))

    def _failure(self, what: str, error: Any) -> NetsurgeryError:
        said = " ".join(str(getattr(error, "err", "") or error).split())
        return NetsurgeryError(f"{self.name} {what}: {said}", source=Source(self.path))


def opencv(title: str, release: str) -> Any:
    """The module cv2. Raises: UnavailableError that asks for a release."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # it prints what it raises
    return package("cv2", "opencv", title, f"pip install 'opencv-python-headless{release}'")


def open_opinion(net: Net, model: Model) -> OpenCV:
    """Raises: UnavailableError without OpenCV 4; NetsurgeryError for a net that it does not read."""
    cv2 = opencv("OpenCV 4", "<5")
    if not hasattr(getattr(cv2, "dnn", None), "readNetFromCaffe"):
        raise UnavailableError(
            f"OpenCV {cv2.__version__} cannot read Caffe's files",
            expected="OpenCV 4",
            fix="pip install 'opencv-python-headless<5'",
        )
    return OpenCV(net, cv2)
