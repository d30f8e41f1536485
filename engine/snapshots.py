"""Freeze what people accepted into a training set that never changes.

    snapshots/<dataset>/<digest>/
        manifest.jsonl      one line per image: its digest, its split, every mask with stage, source and RLE digest
        checksums.json      SHA-256 of every file below
        train/  train_automatic/  validation/  held_out/        SA-1B folders, by the writer that exports use

The digest is the SHA-256 of manifest.jsonl: the same content has the same digest and is written once. An image is on
the side that its own digest gave it at upload and never changes it, so no model is judged on what it has seen. Masks
that no person looked at train from a folder of their own (their weight is a setting) and never judge anything.
"""

from __future__ import annotations
