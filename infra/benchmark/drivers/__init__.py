"""How a peer is driven: a script for each, run by the Python of the peers' environment, which has nothing of ours installed.

A script is given the work, where Telegram is and how many messages a second it may send. It says `ready` when everything is
imported and read, begins at a line on its input, says `done` when it knows what became of every message, and ends at the next
line. So what is measured between the two is its sending alone.
"""
