"""The life of a connection, sans-I/O: `(event, now) → effects`.

No clock, socket, thread, lock or random source is in here.
"""
