"""Running flows: from a terminal, with a server, and what people see of it. Knows no flow by name."""
