#!/usr/bin/env python3
"""How long until a file that comes into the folder of a policy agent lets datagrams pass, and until one that goes stops them.

  landing.py FROM/ADDRESS TO/ADDRESS PORT FILE PLACE ROUNDS

FROM and TO are namespaces of /run/netns; from one to the other goes a datagram each half millisecond, and none back: to the kernel
each is a new flow. FILE is linked to PLACE, and removed from it. Prints the medians in milliseconds: of coming, of going.
"""
import ctypes
import os
import socket
import statistics
import sys
import threading
import time

LATE = 10  # seconds
QUIET = 0.05  # without a datagram for so long, they have been stopped


def opened(end, port):
    """A datagram socket at NAMESPACE/ADDRESS: a thread of its own goes there for it."""
    name, address = end.split("/")
    made = []

    def make():
        fd = os.open("/run/netns/" + name, os.O_RDONLY | os.O_CLOEXEC)
        if ctypes.CDLL(None, use_errno=True).setns(fd, 0x40000000):
            raise OSError(ctypes.get_errno(), name)
        os.close(fd)
        made.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    made[0].bind((address, port))
    return made[0]


def send(source, target):
    while True:
        source.sendto(b"x", target)
        time.sleep(0.0005)


def receive(sink, last):
    while True:
        sink.recv(16)
        last[0] = time.monotonic()


def wait(arrived):
    start = time.monotonic()
    while not arrived():
        if time.monotonic() - start > LATE:
            sys.exit("landing: nothing changed")
        time.sleep(0.0005)


def main():
    source, target, port, file, place, rounds = sys.argv[1:]
    port, last, coming, going = int(port), [0.0], [], []
    threading.Thread(target=receive, args=(opened(target, port), last), daemon=True).start()
    threading.Thread(target=send, args=(opened(source, 0), (target.split("/")[1], port)), daemon=True).start()
    for _ in range(int(rounds)):
        time.sleep(0.1)
        start = time.monotonic()
        os.link(file, place)
        wait(lambda: last[0] > start)
        coming.append(last[0] - start)
        time.sleep(0.1)
        start = time.monotonic()
        os.unlink(place)
        wait(lambda: time.monotonic() - max(last[0], start) > QUIET)
        going.append(last[0] - start)
    print("%.1f %.1f" % (statistics.median(coming) * 1000, statistics.median(going) * 1000))


main()
