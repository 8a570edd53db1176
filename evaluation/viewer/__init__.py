"""A page that shows a forecast in a browser: ``Pieces`` by key, ``serve`` on loopback, ``export`` into a folder.

``catalogue`` says what can be chosen, ``sides`` reads the forecast and what it is compared with, ``products`` makes one
field of an ensemble, ``scales`` its colours, ``series`` what a meteogram shows, ``pieces`` all of it as small scripts.
The page itself is in ``static``; server and export give it the same bytes.
"""
