"""What is raised for a certificate that cannot be read or verified."""

UNREADABLE: tuple[type[Exception], ...] = (Exception,)
"""Everything.  Certificates are read as far as they are looked at, and cryptography's reader raises whatever the code
that it calls raises: ValueError for a date in the year 0, TypeError for a name that is a string of bits, and what the
next version will.  So this is caught where nothing is done but to read or to verify."""
