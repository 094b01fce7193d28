"""What an operator of agents sees and steers.  Nothing of it is loaded with the package."""
