"""A deterministic simulation of stores, disks, peers and the network between them, from one seed.

``timeline`` is virtual time, ``network`` and ``disk`` are what fails, ``process`` is a store with
its peer, ``stores`` the kinds of stores there are (``real``, which do what ``workload`` says, and
``light``, made of ``operations``), ``plan`` the character of a world, ``scene`` what it consists
of, ``world`` its life, and ``checks`` what must hold. Everything between the two ends of a wire and
above a disk is the real code: ``Peer``, ``Mesh``, ``Link``, ``Exchange``, ``Session``, and, unless
the world is a light one, ``Store``.
"""

from .result import Result
from .world import KINDS, simulate

__all__ = ["KINDS", "Result", "simulate"]
