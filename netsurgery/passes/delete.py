"""Delete layers: what read their tops reads their bottom.

fc6@relu6 -> drop6 (Dropout) -> fc6 -> fc7      delete(net, "drop6"):      fc6 -> fc7
"""

from __future__ import annotations

from ..net import Net


def delete(net: Net, *names: str) -> Net:
    """The net without these layers, spliced: `net.without(...)`.

    Raises: NetsurgeryError for a layer that there is not; RewriteError for one of which others read the tops and which has no or
    several bottoms.
    """
    return net.without(*names)
