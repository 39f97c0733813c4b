"""Errors that pycaffe scripts catch by the class that boost::python gives them."""

from __future__ import annotations

from ..errors import NetsurgeryError


class CaffeError(NetsurgeryError, RuntimeError):
    """What real pycaffe raises as RuntimeError, and what real Caffe aborts the process for."""
