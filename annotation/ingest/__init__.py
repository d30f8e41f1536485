"""Pictures and archives from outside: decoded in a caged child process, inflated within bounds."""
