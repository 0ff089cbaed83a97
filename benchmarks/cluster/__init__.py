"""How well a cluster is used, on one machine that stands for many: trials sleep as long as real ones take."""
