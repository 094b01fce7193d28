"""The general engine: charts as data, checked, compiled, walked and drawn.  It knows nothing of agents."""
