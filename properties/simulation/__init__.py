"""A deterministic simulation of stores, disks, peers and the network between them, from one seed.

``timeline`` is virtual time, ``network`` and ``disk`` are what fails, ``process`` is a store with
its peer, ``workload`` is what they do, ``plan`` the character of a world, ``world`` its life, and
``checks`` what must hold. Everything between the two ends of a wire and above a disk is the real
code: ``Store``, ``Peer``, ``Mesh``, ``Link``, ``Exchange``, ``Session``.
"""

from .world import Result, simulate

__all__ = ["Result", "simulate"]
