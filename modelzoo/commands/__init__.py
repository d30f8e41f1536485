"""The commands of `python -m modelzoo`, one file each: `add(commands)` declares it, `run(options)` does it."""
