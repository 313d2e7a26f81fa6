"""A plugin of pytest, ``-p tests.gpu_standin.plugin``: the process that tests has the stand-in for two CUDA devices."""

from tests.gpu_standin import device

device.install()  # before any test module looks for a device

import pytest  # noqa: E402

try:
    from fedmezo.core.directions import triton_kernel
except ImportError:  # plain torch does its work
    pass
else:
    from tests.gpu_standin.triton_launch import Launch

    triton_kernel._add = Launch()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a real device."""
    for item in items:
        if item.get_closest_marker("gpu_code"):
            item.add_marker(pytest.mark.skip(reason="the stand-in runs no code that is compiled for a GPU"))
