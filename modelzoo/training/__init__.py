"""Training, the click simulator and evaluation."""
