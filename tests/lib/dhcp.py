#!/usr/bin/env python3
"""A DHCP server that does what it is told: right, wrong, or not at all. dhcp.py CONF LOG, CONF read for every message.

CONF, JSON: address (what is offered), server (its id), lease, t1, t2 (seconds, absent = not sent), mask ("" = not sent),
router, options {code: hex}, silent [types], nak [types], raw (hex of options that end every reply as they are).
LOG gets a JSON line for each message: type, ciaddr, to (the destination), flags, options {code: hex}.
"""
import json
import socket
import struct
import sys

TYPES = {1: "discover", 3: "request", 4: "decline", 7: "release", 8: "inform"}
COOKIE = bytes([99, 130, 83, 99])


def options_of(data):
    """Pieces of one code are joined."""
    found, at = {}, 0
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        code, size = data[at], data[at + 1]
        found[code] = found.get(code, b"") + data[at + 2:at + 2 + size]
        at += 2 + size
    return found


def option(code, value):
    pieces = [value[i:i + 255] for i in range(0, len(value), 255)] or [b""]
    return b"".join(bytes([code, len(piece)]) + piece for piece in pieces)


def reply(kind, request, conf, renewing):
    address = b"\0" * 4 if kind == 6 else socket.inet_aton(conf["address"])
    head = struct.pack("!BBBB4sHH4s4s4s4s16s", 2, 1, 6, 0, request[4:8], 0, 0x8000,
                       request[12:16] if renewing else b"\0" * 4, address, b"\0" * 4, b"\0" * 4, request[28:44])
    body = option(53, bytes([kind])) + option(54, socket.inet_aton(conf["server"]))
    if kind != 6:
        for code, key in ((51, "lease"), (58, "t1"), (59, "t2")):
            if key in conf:
                body += option(code, struct.pack("!I", conf[key]))
        for code, key in ((1, "mask"), (3, "router")):
            if conf.get(key):
                body += option(code, socket.inet_aton(conf[key]))
        for code, value in conf.get("options", {}).items():
            body += option(int(code), bytes.fromhex(value))
    body += bytes.fromhex(conf["raw"]) if "raw" in conf else b"\xff"
    return (head + b"\0" * 192 + COOKIE + body).ljust(300, b"\0")


def main():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
    sock.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
    sock.bind(("", 67))
    log = open(sys.argv[2], "a", buffering=1)
    while True:
        data, ancillary, _, _ = sock.recvmsg(2048, 128)
        to = next((socket.inet_ntoa(value[8:12]) for level, kind, value in ancillary if kind == 8), "")
        options = options_of(data[240:])
        kind = TYPES.get(options.get(53, b"\0")[0], "?")
        ciaddr = socket.inet_ntoa(data[12:16])
        log.write(json.dumps({"type": kind, "ciaddr": ciaddr, "to": to, "flags": struct.unpack("!H", data[10:12])[0],
                              "options": {code: value.hex() for code, value in options.items()}}) + "\n")
        conf = json.load(open(sys.argv[1]))
        if kind in conf.get("silent", []) or kind not in ("discover", "request"):
            continue
        if kind == "request" and 54 in options and options[54] != socket.inet_aton(conf["server"]):
            continue
        answer = 2 if kind == "discover" else 6 if kind in conf.get("nak", []) else 5
        renewing = ciaddr != "0.0.0.0" and answer == 5
        sock.sendto(reply(answer, data, conf, renewing), (ciaddr if renewing and to != "255.255.255.255" else "<broadcast>", 68))


main()
