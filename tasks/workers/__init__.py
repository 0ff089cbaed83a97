"""Where work runs: an interface, and this machine's processes as its first implementation."""
