"""PriorBoxClustered: default boxes whose sizes are listed one by one."""

from .core import Params
from .priorbox import PriorBox
from .shared.priors import Priors, read_clustered_priors


class PriorBoxClustered(PriorBox):
    """As PriorBox, with a box for each `width` and `height`.

    Shapes: as PriorBox.
    Source: OpenVINO's operation of this name, for which Intel's nets were written
    """

    types = ("PriorBoxClustered",)
    note = "by formula (Intel)"

    def read_priors(self, p: Params, q: Params) -> Priors:
        return read_clustered_priors(q)
