"""The chart as people and other programs read it: pictures, tables and documents, all made from the chart alone.

A format is one module with one function from a chart to a text (to bytes, for PNG and PDF) and a line in `formats`,
which is all that the command needs to know of it.  The function takes ``view`` too if
the format can show a part of the chart, and ``theme`` if it cannot be right on light and dark pages alike; both have
defaults.  What a format imports beyond the standard library it imports when it is used, so that nothing else needs it.

`views` chooses what is shown, `picture` decides how that is drawn, and `mermaid`, `dot` and `graphviz` write it down.
"""
