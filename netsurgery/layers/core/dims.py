"""Arithmetic on dimensions that may be unknown: an int, or a Dim, a polynomial over axes of the inputs.

A layer writes its shape rule once, in ordinary arithmetic: `(h + 2 * pad - kernel) // stride + 1`. With ints it gives the shape at
one size; with Dims it gives a formula, from which follow which input axes a layer ties down and which blobs have equal sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from threading import Lock
from weakref import WeakValueDictionary

Axis = tuple[str, int]
"""An axis of a net input: (blob, axis)."""


@dataclass(frozen=True, eq=False, repr=False)
class Atom:
    """What a Dim is made of: an input axis ("axis", blob, index), a number that the data decide ("data", ...), or a function of Dims
    that polynomials cannot express (floor division, maximum).

    Of the same op and args there is one alone (`_atom`), so that formulas of formulas, which a deep net makes, are never walked to
    tell whether they are equal. `axes` are the input axes on which it depends, `by_data` whether the data decide it."""

    op: str
    args: tuple[object, ...]
    axes: frozenset[Axis]
    by_data: bool
    serial: int

    def __lt__(self, other: Atom) -> bool:
        return self.serial < other.serial


Monomial = tuple[Atom, ...]
_FUNCTIONS: dict[str, Callable[[int, int], int]] = {"//": lambda a, b: a // b, "max": max, "min": min}


@dataclass(frozen=True)
class Dim:
    """A polynomial with whole coefficients over Atoms: {monomial: coefficient}. Equal Dims are equal at every size."""

    terms: frozenset[tuple[Monomial, int]]

    def __add__(self, other: Size) -> Size:
        total = dict(self.terms)
        for monomial, coefficient in _terms(other):
            total[monomial] = total.get(monomial, 0) + coefficient
        return _normal(total)

    __radd__ = __add__

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Size) -> Size:
        return self + other * -1

    def __rsub__(self, other: Size) -> Size:
        return self * -1 + other

    def __mul__(self, other: Size) -> Size:
        product: dict[Monomial, int] = {}
        for a, m in self.terms:
            for b, n in _terms(other):
                key = tuple(sorted(a + b))
                product[key] = product.get(key, 0) + m * n
        return _normal(product)

    __rmul__ = __mul__

    def __floordiv__(self, other: Size) -> Size:
        if isinstance(other, int) and other > 0:  # floor((n * q + r) / n) = q + floor(r / n)
            whole = _normal({m: c // other for m, c in self.terms})
            rest = _normal({m: c % other for m, c in self.terms})
            return whole + (rest // other if isinstance(rest, int) else apply("//", rest, other))
        exact = _exact_quotient(self, other)
        return apply("//", self, other) if exact is None else exact

    def __rfloordiv__(self, other: int) -> Size:
        return apply("//", other, self)

    @cached_property
    def axes(self) -> frozenset[Axis]:
        """The input axes on which it depends."""
        return frozenset[Axis]().union(*(atom.axes for monomial, _ in self.terms for atom in monomial))

    @cached_property
    def by_data(self) -> bool:
        """Whether the data decide it (how many boxes were found)."""
        return any(atom.by_data for monomial, _ in self.terms for atom in monomial)

    @property
    def axis(self) -> Axis | None:
        """The input axis that it is, if it is one and nothing else."""
        if len(self.terms) == 1:
            ((monomial, coefficient),) = self.terms
            if coefficient == 1 and len(monomial) == 1 and monomial[0].op == "axis":
                return str(monomial[0].args[0]), int(str(monomial[0].args[1]))
        return None

    def at(self, sizes: Mapping[Axis, Size], values: dict[Atom, Size] | None = None) -> Size:
        """Its value where the input axes have these sizes (an int, if all that it depends on are given as ints). `values` keeps what
        atoms come to, from call to call at the same sizes."""
        values = {} if values is None else values
        left = self._open(values)
        while left:  # no recursion: formulas are as deep as nets
            atom = left[-1]
            below = [a for arg in atom.args if isinstance(arg, Dim) for a in arg._open(values)]
            left += below
            if not below:
                values[atom] = _atom_at(atom, sizes, values)
                left.pop()
        return self._sum(values)

    def _open(self, values: Mapping[Atom, Size]) -> list[Atom]:
        return [atom for monomial, _ in self.terms for atom in monomial if atom not in values]

    def _sum(self, values: Mapping[Atom, Size]) -> Size:
        total: Size = 0
        for monomial, coefficient in self.terms:
            product: Size = coefficient
            for atom in monomial:
                product = product * values[atom]
            total = total + product
        return total


Size = int | Dim
Shape = tuple[Size, ...]


def axis(blob: str, index: int) -> Dim:
    """The Dim that stands for an axis of a net input."""
    return _atom("axis", blob, index)


def by_data(*names: object) -> Dim:
    """A size that the data decide; equal only to one of the same names."""
    return _atom("data", *names)


def ceil_div(a: Size, b: Size) -> Size:
    return -(-a // b)


def maximum(a: Size, b: Size) -> Size:
    return max(a, b) if isinstance(a, int) and isinstance(b, int) else apply("max", a, b)


def minimum(a: Size, b: Size) -> Size:
    return min(a, b) if isinstance(a, int) and isinstance(b, int) else apply("min", a, b)


def product(sizes: Sequence[Size]) -> Size:
    total: Size = 1
    for size in sizes:
        total = total * size
    return total


def apply(name: str, a: Size, b: Size) -> Size:
    """`name` of a and b: a number if both are, else a Dim that says so."""
    if isinstance(a, int) and isinstance(b, int):
        return _FUNCTIONS[name](a, b)
    if name != "//" and isinstance(gap := a - b, int):  # n + 1 and n + 2: one is the smaller one whatever n is
        return a if (gap <= 0) == (name == "min") else b
    return _atom(name, a, b)


@dataclass(frozen=True)
class Constraint:
    """A layer needs `size` to be `expected`; `what` says which sizes these are."""

    size: Size
    expected: Size
    what: str


_collected: ContextVar[list[Constraint] | None] = ContextVar("_collected", default=None)


@contextmanager
def collect() -> Iterator[list[Constraint]]:
    """Collects the Constraints on Dims that shape rules state inside the `with`."""
    constraints: list[Constraint] = []
    token = _collected.set(constraints)
    try:
        yield constraints
    finally:
        _collected.reset(token)


def constrain(size: Size, expected: Size, what: str) -> bool:
    """Says that `size` must be `expected`. False if both are numbers and differ; where one is a Dim, the Constraint is collected."""
    if isinstance(size, int) and isinstance(expected, int):
        return size == expected
    if size != expected and (constraints := _collected.get()) is not None:
        constraints.append(Constraint(size, expected, what))
    return True


def all_numbers(shape: Sequence[Size]) -> bool:
    return all(isinstance(size, int) for size in shape)


def numbers(shape: Sequence[Size]) -> tuple[int, ...]:
    """A shape that is known."""
    sizes = tuple(size for size in shape if isinstance(size, int))
    if len(sizes) < len(shape):
        raise AssertionError(f"({', '.join(map(show, shape))}) is not known")
    return sizes


def show(size: object) -> str:
    """A size for error texts: the number, or '?'."""
    return str(size) if isinstance(size, int) else "?"


_atoms: WeakValueDictionary[tuple[str, tuple[object, ...]], Atom] = WeakValueDictionary()
_serials = count()
_lock = Lock()


def _atom(op: str, *args: object) -> Dim:
    with _lock:
        atom = _atoms.get((op, args))
        if atom is None:
            dims = [arg for arg in args if isinstance(arg, Dim)]
            axes = frozenset[Axis]().union(*(dim.axes for dim in dims))
            own = {(str(args[0]), int(str(args[1])))} if op == "axis" else set()
            by_data = op == "data" or any(dim.by_data for dim in dims)
            atom = _atoms[op, args] = Atom(op, args, axes | own, by_data, next(_serials))
    return Dim(frozenset({((atom,), 1)}))


def _terms(size: Size) -> frozenset[tuple[Monomial, int]]:
    return size.terms if isinstance(size, Dim) else frozenset({((), size)})


def _normal(terms: Mapping[Monomial, int]) -> Size:
    left = {monomial: c for monomial, c in terms.items() if c}
    if not left:
        return 0
    if set(left) == {()}:
        return left[()]
    return Dim(frozenset(left.items()))


def _exact_quotient(a: Dim, b: Size) -> Size | None:
    """a / b where every term of a is a multiple of the single term b."""
    terms = _terms(b)
    if len(terms) != 1:
        return 1 if a == b else None
    ((divisor, by),) = terms
    quotient: dict[Monomial, int] = {}
    for monomial, coefficient in a.terms:
        rest = list(monomial)
        for atom in divisor:
            if atom not in rest:
                return None
            rest.remove(atom)
        if by == 0 or coefficient % by:
            return None
        quotient[tuple(rest)] = coefficient // by
    return _normal(quotient)


def _atom_at(atom: Atom, sizes: Mapping[Axis, Size], values: Mapping[Atom, Size]) -> Size:
    if atom.op == "axis":
        key = (str(atom.args[0]), int(str(atom.args[1])))
        return sizes.get(key, axis(*key))
    if atom.op == "data":
        return _atom(atom.op, *atom.args)
    a, b = (arg._sum(values) if isinstance(arg, Dim) else arg if isinstance(arg, int) else 0 for arg in atom.args)
    return a // b if atom.op == "//" else apply(atom.op, a, b)
