"""Input: a blob that is fed from outside."""

from collections.abc import Sequence

from .core import LayerType, Params, ShapeError


class Input(LayerType):
    """Tops are net inputs, their shapes declared by `input_param { shape }`: one for all tops, or one each.

    Source: input_layer.cpp
    """

    types = ("Input",)
    bottoms = (0, 0)
    tops = (1, None)
    is_input = True

    def read(self, p: Params) -> None:
        self.declared_shapes = [tuple(shape.get_ints("dim")) for shape in p.message("input_param").messages("shape")]
        for shape, top in zip(self.declared_shapes, p.tops, strict=False):
            if any(n < 0 for n in shape):
                sizes = [n if n > 0 else usual for n, usual in zip(shape, (1, 3, *[224] * len(shape)), strict=False)]
                raise ShapeError(
                    f"a declared size is negative: {shape}",
                    layer=self,
                    expected="sizes from 1 on",
                    fix=f"say it: --input-shape {top}={','.join(map(str, sizes))}",
                )

    def declared(self, count: int) -> Sequence[tuple[int, ...] | None]:
        shapes = self.declared_shapes
        if len(shapes) not in (0, 1, count):
            raise ShapeError(f"{len(shapes)} shapes for {count} tops", layer=self, expected="one for all, or one each")
        if not shapes:
            return [None] * count
        return shapes if len(shapes) == count else shapes * count
