"""The thirty requirements of docs/reliability.md, tried against real processes: `make reliability`."""
