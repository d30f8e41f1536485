"""An app that installations under trial have in addition: jobs that are counted, messages that are dropped."""
