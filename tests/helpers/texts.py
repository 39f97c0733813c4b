"""Small texts, and the errors that wrong ones give."""

from __future__ import annotations

import pytest

from netsurgery.errors import ParseError
from netsurgery.formats.prototxt.text import parse
from netsurgery.formats.prototxt.typed import resolve
from netsurgery.message import Token

COMMENTED = """\
# SmallNet
# by its author

name: "small" # a net
input: "data"

# unrelated

# the first
# layer
layer { # convolves
  name: "conv1"
  #type: "Deconvolution"
  type: "Convolution"
  convolution_param {
    num_output: 4
    # pad: 1
    #
  }
} # end of conv1
layer {
  # nothing yet
}
# the end
"""


def refusal(text: str | bytes, type: str = "") -> str:
    with pytest.raises(ParseError) as caught:
        message = parse(text, "a.prototxt")
        if type:
            resolve(message, type)
    return str(caught.value)


def number(text: str) -> Token:
    return Token(text, "number")


def string(text: str) -> Token:
    return Token(text, "string")
