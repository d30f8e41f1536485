"""Promptable segmentation models and everything they can do. No Django, no Celery.

Importing this package imports nothing else: `modelzoo.rle`, `modelzoo.geometry`, `modelzoo.embedding` and
`modelzoo.onnx_decoder` stay usable in a process that must never load torch.
"""

import os

# Read by OpenMP when torch is imported. Threads that spin while they wait make small products ten times slower
# wherever cores are shared with anything else, which is where this product runs.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# The products of numpy here are small: several threads fight over them and take twice as long (measured).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
