#!/usr/bin/env python3
"""The other end of a tap: tap.py DEVICE IFNAME ADDRESS MAC UID GID [QUEUES]

Becomes the user UID in the group GID, opens IFNAME by DEVICE (/dev/net/tun) as a virtual machine does, with virtio-net
headers, in so many QUEUES (0: a tap of one queue), and answers ARP requests and pings for ADDRESS. Prints "open", then
what it answers.
"""
import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF, IFF_TAP, IFF_MULTI_QUEUE, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 0x2, 0x100, 0x1000, 0x4000
HEADER = 10  # struct virtio_net_hdr


def open_queue(device, name, flags):
    fd = os.open(device, os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    return fd


def arp_answer(frame, address, mac):
    if frame[20:22] != b"\x00\x01" or frame[38:42] != address:
        return None
    return frame[6:12] + mac + frame[12:20] + b"\x00\x02" + mac + address + frame[22:32]


def ping_answer(frame, address, mac):
    size = (frame[14] & 0xF) * 4
    icmp = 14 + size
    if frame[23] != 1 or frame[30:34] != address or frame[icmp] != 8:
        return None
    total = sum(struct.unpack("!H", frame[icmp + 2 : icmp + 4])) + 0x0800
    check = struct.pack("!H", (total & 0xFFFF) + (total >> 16))
    return (frame[6:12] + mac + frame[12:26] + address + frame[26:30] + frame[34:icmp]
            + b"\x00\x00" + check + frame[icmp + 4 :])


def main():
    device, name, address = sys.argv[1], sys.argv[2], socket.inet_aton(sys.argv[3])
    mac, queues = bytes.fromhex(sys.argv[4].replace(":", "")), int((sys.argv[7:] + ["0"])[0])
    os.setgroups([])
    os.setgid(int(sys.argv[6]))
    os.setuid(int(sys.argv[5]))
    flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (IFF_MULTI_QUEUE if queues else 0)
    fds = [open_queue(device, name, flags) for _ in range(max(queues, 1))]
    print("open", flush=True)
    while True:
        for fd in select.select(fds, [], [])[0]:
            packet = os.read(fd, 65536)
            frame, kind = packet[HEADER:], packet[HEADER + 12 : HEADER + 14]
            answer = {b"\x08\x06": arp_answer, b"\x08\x00": ping_answer}.get(kind, lambda *_: None)(frame, address, mac)
            if answer:
                os.write(fd, bytes(HEADER) + answer)
                print("answered", kind.hex(), flush=True)


main()
