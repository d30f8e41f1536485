"""The whole loop with simulated people: real routes, leases, jobs, retraining and gate; only the hands are not."""
