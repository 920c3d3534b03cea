"""The libraries that leadbus is measured beside, each in a virtual environment of its own."""

from ops.bench.peers.venvs import Peer, peer_python

__all__ = ["Peer", "peer_python"]
