"""Fixtures that tests of several rooms use."""

from onnx_files import net as net
from verify_command import folder as folder
