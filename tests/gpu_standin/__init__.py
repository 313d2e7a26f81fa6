"""Two CUDA devices that are none: for finding, without a GPU, what would go wrong on one.

``device.cpp`` registers a device of torch named ``cuda`` whose memory is the host's and whose operators are the CPU's.
Tensors of several devices do not mix, and launches, copies and waits are counted. :mod:`.build` compiles it once,
:mod:`.device` has it loaded and torch's own Python use it, :mod:`.triton_launch` stands in for what Triton launches.

A device cannot be taken back from a process, so tests on it run in processes of their own, with the plugin::

    python -m pytest -p tests.gpu_standin.plugin -m "gpu and not full"

which is what ``test_standin.py`` does. Tests marked ``gpu`` run as well where there is a real one.
"""
