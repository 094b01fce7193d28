"""The chart as people and other programs read it: pictures, tables and documents, all made from the chart alone."""
