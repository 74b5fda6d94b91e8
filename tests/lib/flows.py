#!/usr/bin/env python3
"""New connections without a pause: flows.py NAME ADDRESS PORT. Ends when the file `stop` is there, and prints how many were
made and how many were not; after thirty there is a file NAME. What is denied is answered at once (reject)."""
import os
import socket
import sys

name, address, port = sys.argv[1:]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
made = refused = 0
while not os.path.exists("stop"):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(5)
        try:
            s.connect((address, int(port)))
            made += 1
        except OSError:
            refused += 1
    if made + refused == 30:
        open(name, "w").close()
print(made, refused)
