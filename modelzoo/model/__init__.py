"""The torch modules, one file per part, and nothing that reads or writes files."""
