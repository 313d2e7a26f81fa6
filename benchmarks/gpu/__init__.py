"""``python -m benchmarks.gpu``: all that is measured on a GPU, within the minutes given, onto one page.

:mod:`.budget` gives each part its time in processes of their own and keeps what they have measured, :mod:`.page` writes
it down; neither imports torch. The other modules are the parts, each a ``plan`` of rows and what measures one of them.
"""
