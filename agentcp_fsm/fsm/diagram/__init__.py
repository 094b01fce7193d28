"""The chart as people and other programs read it: pictures, tables and documents, all made from the chart alone.

A format is one module and a line in `formats`; the command needs to know no more of it.  The module has one function
from a chart to a text (to bytes, for PNG and PDF).  The function takes ``view`` if the format can show a part of the
chart, ``theme`` if one file cannot suit light and dark pages alike, and ``imported_from`` if the file names the chart's
module; all have defaults.  A format that needs more than the standard library imports it on use, so nothing else
depends on it.

`views` chooses the part that is shown, and `picture` decides how it is drawn; `mermaid`, `dot` and `svg` write it down.
The difference of two charts is found by `diff`, and becomes such a picture in `diff_picture`.
"""
