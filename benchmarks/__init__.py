"""Measured figures: `make bench`. Each benchmark is a function that returns rows; nothing here is a test."""
