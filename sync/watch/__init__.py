"""``crdtstore watch``: what the timeline page shows, in a terminal, for one peer.

``model`` is what a viewer of the feed knows, ``relations`` what happened before what, ``lanes`` the
timeline in characters, ``browser`` what the keys do, ``details`` and ``screen`` what is drawn,
``lines`` the same for pipes. ``keys``, ``connection`` and ``terminal`` do the reading and writing.
"""
