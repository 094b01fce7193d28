"""The explorer, and the defects that it finds."""
