#!/usr/bin/python3
"""Servers that say who asked, and their clients.

serve NAME PROTOCOL PORT...   tcp, udp, sctp, on all addresses; answers `NAME PORT SOURCE-ADDRESS`; prints "ready"
ask PROTOCOL ADDRESS PORT [SOURCE-PORT]   prints the answer; exit status 1 when there is none within four seconds
"""
import selectors
import socket
import sys

TIMEOUT = 4


def make(protocol, family):
    if protocol == "udp":
        return socket.socket(family, socket.SOCK_DGRAM)
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_SCTP if protocol == "sctp" else 0)


def serve(name, protocol, ports):
    sel = selectors.DefaultSelector()
    for port in ports:
        sock = make(protocol, socket.AF_INET6)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", int(port)))
        if protocol != "udp":
            sock.listen(64)
        sel.register(sock, selectors.EVENT_READ, port)
    print("ready", flush=True)
    while True:
        for key, _ in sel.select():
            if protocol == "udp":
                _, peer = key.fileobj.recvfrom(100)
                key.fileobj.sendto(text(name, key.data, peer), peer)
            else:
                conn, peer = key.fileobj.accept()
                conn.sendall(text(name, key.data, peer))
                conn.close()


def text(name, port, peer):
    return f"{name} {port} {peer[0].removeprefix('::ffff:')}\n".encode()


def ask(protocol, address, port, source="0"):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with make(protocol, family) as sock:
        sock.settimeout(TIMEOUT)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if int(source):
            sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", int(source)))
        sock.connect((address, int(port)))
        if protocol == "udp":
            sock.send(b"who?")
        answer = sock.recv(1000)
    if not answer:
        return 1
    sys.stdout.write(answer.decode())
    return 0


def main():
    if sys.argv[1] == "serve":
        serve(sys.argv[2], sys.argv[3], sys.argv[4:])
    try:
        return ask(*sys.argv[2:])
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
