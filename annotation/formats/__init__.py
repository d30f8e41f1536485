"""Export formats: one module per format with `write`, `verify` and `read`. Recipe in CONTRIBUTING.md."""
