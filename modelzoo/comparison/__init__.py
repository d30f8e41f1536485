"""Models and simple methods, judged on the same masks with the same prompts: docs/evaluation.md has every figure."""
