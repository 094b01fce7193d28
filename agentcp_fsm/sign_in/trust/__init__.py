"""Whether a heartbeat server proves that it is the one it claims to be."""
