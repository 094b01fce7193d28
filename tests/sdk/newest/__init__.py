"""A stand-in for the SDK's newest source, which is no release: its layout, and as much of it as a life needs."""
