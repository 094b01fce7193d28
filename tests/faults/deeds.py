"""What applications do that nobody asked them to: each is called in the application's process."""
