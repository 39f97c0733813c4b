"""Pictures of what was seen in many images, each with its numbers beside it, in a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ..formats.preprocessing import Preprocessing
from ..net import Net
from .cache import made_by
from .draughtsman import WORTH_IT, drawn
from .figures import figure_png, require_matplotlib
from .images import Folder, ImageFile, find_for
from .jobs import run_job
from .pipeline import Job, Outcome, Sample

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class PictureFiles(Job[dict[str, Any]]):
    """Writes what a job makes of each image and, last, NAME.json, whose content is the result. `made_by` tells runs of other nets or
    options apart: what is there of the same is not done again, unless `force`."""

    job: Any
    folder: str
    made_by: str
    force: bool = False
    apart: bool = False
    """Whether figures are drawn in another process."""

    def write(self, folder: Folder, image: ImageFile, sample: Sample) -> dict[str, Any]:
        """Writes the pictures of an image, and gives its summary."""
        raise NotImplementedError

    def drawn(self, make: Callable[..., Figure], *args: Any) -> bytes:
        return drawn(make, *args) if self.apart else figure_png(make(*args))

    def prepare(self, image: NDArray[Any]) -> Sample:
        sample: Sample = self.job.prepare(image)
        return sample

    def finish(self, image: ImageFile, sample: Sample) -> dict[str, Any]:
        folder = Folder(self.folder)
        summary = {"image": image.path, **self.write(folder, image, sample), "made_by": self.made_by}
        folder.write(f"{image.name}.json", (json.dumps(summary, indent=2) + "\n").encode())
        return summary

    def done(self, image: ImageFile) -> dict[str, Any] | None:
        return None if self.force else Folder(self.folder).finished(image, self.made_by)


def write_pictures(
    files: type[PictureFiles],
    job: Any,
    net: Net,
    blobs: Sequence[str],
    images: Sequence[str | os.PathLike[str] | ImageFile],
    folder: str | os.PathLike[str],
    preprocessing: Preprocessing,
    options: Mapping[str, Any],
    *,
    force: bool,
    **running: Any,
) -> Iterator[Outcome[dict[str, Any]]]:
    """Pictures of what `job` makes of the images, below `folder`. Raises: NetsurgeryError without matplotlib (extra `vision`)."""
    require_matplotlib()
    image_files, place = find_for(images, folder, running.get("scheduler"))
    mine = made_by(net, blobs, preprocessing, options)
    work = files(job, place, mine, force, len(image_files) >= WORTH_IT)
    return run_job(work, net, blobs, image_files, free=True, **running)
