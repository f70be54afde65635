"""What commands on this machine ask of the running server, over a socket in its data directory.

Who may open the socket is who runs the server: its file is for the owner alone. So nothing of it is reachable by HTTP.
"""
