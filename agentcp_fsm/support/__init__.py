"""What every layer may use: logging, forks, abandoned calls, text that is safe to show."""
