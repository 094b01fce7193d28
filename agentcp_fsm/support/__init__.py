"""Tools for every layer: logging, forks, abandoned calls, names, files, text that is safe to show."""
