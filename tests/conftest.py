"""Fixtures that tests of several rooms use."""

import pytest
from onnx_files import net as net
from verify_command import folder as folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The hours of damaged files run when they are asked for by name, whatever else `-m` says."""
    if "hostile" not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker("hostile")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
