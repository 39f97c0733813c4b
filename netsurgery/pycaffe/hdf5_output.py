"""HDF5Output: writes its two bottoms into a file.

Source: BVLC/caffe src/caffe/layers/hdf5_output_layer.cpp
"""

from __future__ import annotations

from ..files.boundary import package
from .errors import CaffeError
from .kind_op import KindOp


class HDF5OutputOp(KindOp):
    """Datasets `data` and `label` of 4 axes. Each forward writes the file anew (Caffe can write it only once)."""

    @property
    def is_eager(self) -> bool:
        return True

    def setup(self) -> None:
        super().setup()
        self.path = str(self.slot.params.last("hdf5_output_param").last("file_name", ""))
        self._write()

    def forward(self) -> None:
        self._write("data", "label")

    def backward(self) -> bool:
        return True

    def _write(self, *names: str) -> None:
        with package("HDF5 needs h5py, which is not installed", "netsurgery[hdf5]", layer=self.slot, error=CaffeError):
            import h5py
        try:
            with h5py.File(self.path, "w") as file:
                for name, blob in zip(names, self.slot.bottoms, strict=False):
                    file.create_dataset(name, data=blob.read_data().reshape((*blob.sizes, 1, 1, 1)[:4]))
        except OSError as error:
            raise CaffeError(f"cannot write {self.path!r}: {error}", layer=self.slot) from None
