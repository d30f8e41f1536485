"""Promptable segmentation models and everything they can do. No Django, no Celery.

Importing this package imports nothing else: `modelzoo.rle`, `modelzoo.geometry`, `modelzoo.embedding` and
`modelzoo.onnx_decoder` stay usable in a process that must never load torch.
"""
