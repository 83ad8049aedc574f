"""Derivatives of numbers by the chain rule, one number at a time."""

import math


class Number:
    """A value and the numbers that it was made of, each with its partial derivative."""

    def __init__(self, value, parents=()):
        self.value, self.parents, self.gradient = value, parents, 0.0

    def __add__(self, other):
        return Number(self.value + float(other), [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return Number(self.value * float(other), [(self, float(other)), (other, self.value)])

    def __truediv__(self, other):
        ratio = self.value / float(other)
        return Number(ratio, [(self, 1 / float(other)), (other, -ratio / float(other))])

    def __rtruediv__(self, other):
        return Number(other / self.value, [(self, -other / self.value**2)])

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + other * -1.0

    def __float__(self):
        return float(self.value)

    __radd__, __rmul__ = __add__, __mul__

    def backward(self):
        """Add to every number's ``gradient`` the derivative of this one by it."""
        order, seen, pending = [], set(), [(self, False)]
        while pending:
            number, done = pending.pop()
            if done:
                order.append(number)
            elif isinstance(number, Number) and id(number) not in seen:
                seen.add(id(number))
                pending += [(number, True), *((parent, False) for parent, _ in number.parents)]
        self.gradient = 1.0
        for number in reversed(order):
            for parent, derivative in number.parents:
                if isinstance(parent, Number):
                    parent.gradient += derivative * number.gradient


def exp(x):
    value = math.exp(float(x))
    return Number(value, [(x, value)]) if isinstance(x, Number) else value


def log(x):
    return Number(math.log(x.value), [(x, 1 / x.value)]) if isinstance(x, Number) else math.log(x)


def sqrt(x):
    value = math.sqrt(float(x))
    return Number(value, [(x, 0.5 / value)]) if isinstance(x, Number) else value


def relu(x):
    return x if float(x) > 0 else 0.0


def dot(a, b):
    """Sum of products as one number."""
    value = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    parents = [(x, float(y)) for x, y in zip(a, b, strict=True) if isinstance(x, Number)]
    parents += [(y, float(x)) for x, y in zip(a, b, strict=True) if isinstance(y, Number)]
    return Number(value, parents) if parents else value
