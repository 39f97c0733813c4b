"""Python: a layer whose code lies in a Python module."""

from .core import LayerType, Params, UnsupportedError


class Python(LayerType):
    """What `python_param { module layer }` names: known ones are layer types "Python:module.layer"; one without bottoms is an input.

    The module is never loaded, and param_str never executed.

    Source: python_layer.hpp
    """

    types = ("Python",)
    bottoms = (0, 0)
    tops = (0, None)
    is_input = True
    note = "known modules and layers only (types Python:..); one without bottoms reads data: its tops are inputs"

    @classmethod
    def variant(cls, p: Params, title: str, bottom_count: int) -> type[LayerType]:
        from . import find

        q = p.message("python_param")
        q.ignore("param_str", "share_in_parallel", why="read by the class that is chosen")
        name = f"Python:{q.get_str('module')}.{q.get_str('layer')}"
        if (layer_type := find(name)) is not None:
            return layer_type.variant(p, title, bottom_count)
        if bottom_count == 0:
            return cls
        raise UnsupportedError(
            f"what Python module '{q.get_str('module')}', layer '{q.get_str('layer')}' computes is not known",
            layer=title,
            source=q.source,
            expected="a module and layer that `netsurgery layers` lists as Python:module.layer",
            fix=f"register a layer type '{name}' (README: Your own layer) and give its file as --plugin; or run your script with "
            "`netsurgery pycaffe`, which runs the layer's own Python; or remove the layer if it is for training",
        )

    def read(self, p: Params) -> None:
        p.message("python_param").ignore(
            "module", "layer", "param_str", "share_in_parallel", why="the layer reads data, which is fed instead"
        )
