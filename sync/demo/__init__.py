"""The demo: processes that share a to-do list, lose the network, get killed, and lose nothing.

``script`` decides from a seed what everybody does, ``slices`` is the state that they share,
``worker`` is one of the processes and ``crew`` all of them, ``cables`` are the links that can be
cut, and ``director`` tells the story on a ``screen``; ``tools`` show it too, if they are wanted.
``account`` knows only what was done and what whoever did it had seen; ``audit`` holds it against
what the processes end up with.
"""
