"""Other programs in which a sweep can be watched, fed from the files that runs leave."""

from benchmark.sweep.loggers.base import Logger
from benchmark.sweep.loggers.follower import Follower, follow

__all__ = ["Follower", "Logger", "follow"]
