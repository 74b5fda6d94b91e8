#!/usr/bin/env python3
"""Random policies in a kernel, held against the oracle: real connections between pods that are namespaces.

  policy_random.py CNIBOX BACKEND SEED

Runs in a network namespace of its own, which becomes the node of all pods. Every pair of pods, and an outside host, are tried
by TCP and UDP over both families, on the ports of policy_oracle.py; what the oracle allows has to come through, and nothing else.
"""
import ctypes
import errno
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys

from policy_oracle import Cluster, Generator

PORTS = (53, 79, 80, 81, 110, 8080)
OUTSIDE = ["203.0.113.7", "2001:db8::7"]
libc = ctypes.CDLL(None, use_errno=True)


def run(*words):
    subprocess.run(words, check=True)


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


class Place:
    """A namespace with a link to the node, its addresses, and servers on every port."""

    def __init__(self, number, addresses):
        self.addresses, self.link = addresses, f"p{number}"
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo && exec sleep 600"], stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        self.fd = os.open(f"/proc/{self.holder.pid}/ns/net", os.O_RDONLY)
        with self:
            write("/proc/sys/net/ipv6/conf/default/accept_dad", "0")
        run("ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", str(self.holder.pid))
        for words in (["addr", "add", "169.254.1.1/32", "dev", self.link], ["addr", "add", "fe80::1/64", "dev", self.link, "nodad"],
                      ["link", "set", self.link, "up"]):
            run("ip", *words)
        with self:
            run("ip", "link", "set", "lo", "up")
            run("ip", "link", "set", "eth0", "up")
            for address in addresses:
                run("ip", "addr", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
            run("ip", "route", "add", "169.254.1.1", "dev", "eth0")
            run("ip", "route", "add", "default", "via", "169.254.1.1")
            run("ip", "-6", "route", "add", "default", "via", "fe80::1", "dev", "eth0")
            self.tcp = {port: self.serve(socket.SOCK_STREAM, port) for port in PORTS}
            self.udp = {port: self.serve(socket.SOCK_DGRAM, port) for port in PORTS}
        for address in addresses:
            run("ip", "route", "add", address, "dev", self.link)

    def __enter__(self):
        if libc.setns(self.fd, 0):
            raise OSError(ctypes.get_errno(), "setns")

    def __exit__(self, *_):
        if libc.setns(HOME, 0):
            raise OSError(ctypes.get_errno(), "setns")

    @staticmethod
    def serve(kind, port):
        server = socket.socket(socket.AF_INET6, kind)
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.bind(("::", port))
        if kind == socket.SOCK_STREAM:
            server.listen(16)
        server.setblocking(False)
        return server


def client(source, kind, version, address):
    with source:
        made = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, kind)
    made.setblocking(False)
    made.bind((address, 0))
    return made


# What is allowed is waited for, however busy the machine; what is denied is answered at once, or not at all.
def seconds(want):
    return 10 if want else 0.3


def tcp(source, to, port, version, want):
    made = client(source, socket.SOCK_STREAM, version, str(source.addresses[version]))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    result = made.connect_ex((str(to.addresses[version]), port))
    if result == errno.EINPROGRESS:
        ready = select.select([], [made], [], seconds(want))[1]
        result = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if ready else errno.ETIMEDOUT
    if result == 0:
        select.select([to.tcp[port]], [], [], 5)
        to.tcp[port].accept()[0].close()
    made.close()
    return verdict(result)


def udp(source, to, port, version, want):
    made = client(source, socket.SOCK_DGRAM, version, str(source.addresses[version]))
    made.connect((str(to.addresses[version]), port))
    made.send(b"?")
    ready = select.select([made, to.udp[port]], [], [], seconds(want))[0]
    result = errno.ETIMEDOUT
    if to.udp[port] in ready:
        to.udp[port].recv(10)
        result = 0
    elif ready:
        result = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    made.close()
    return verdict(result)


def verdict(result):
    refused = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.ECONNRESET, errno.EPERM, errno.ETIMEDOUT)
    return {0: True}.get(result, False if result in refused else os.strerror(result))


def world(seed):
    """Objects whose pods are all on one node, each address that of one pod."""
    objects, taken = [], set()
    for item in Generator(seed).objects():
        if item["kind"] == "Pod":
            status = item["status"]
            own = [entry["ip"] for entry in status.get("podIPs") or []] or [status.get("podIP")]
            if item["spec"].get("hostNetwork") or status["phase"] in ("Succeeded", "Failed") or None in own or taken & set(own):
                continue
            taken |= set(own)
            item["spec"]["nodeName"] = "n1"
            status.pop("hostIPs", None)
        objects.append(item)
    return objects


def main():
    cnibox, backend, seed = sys.argv[1:]
    objects = world(seed)
    cluster = Cluster(objects)
    for address in OUTSIDE:
        cluster.add_address(address)
    write("/proc/sys/net/ipv4/ip_forward", "1")
    write("/proc/sys/net/ipv6/conf/all/forwarding", "1")
    write("/proc/sys/net/ipv6/conf/default/accept_dad", "0")
    write("/proc/sys/net/ipv4/icmp_ratelimit", "0")
    write("/proc/sys/net/ipv6/icmp/ratelimit", "0")
    run("ip", "link", "set", "lo", "up")
    places = {}
    for number, end in enumerate(cluster.ends):
        places[end.text] = Place(number, [str(address) for address in end.address.values()])
        places[end.text].addresses = end.address
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    subprocess.run([cnibox, "policy-iptables", "apply", "--backend", backend, "--node", "n1", "--reject", "-f", "-"],
                   input=text, text=True, check=True, stdout=subprocess.DEVNULL)
    asked, open_, wrong = 0, 0, []
    for source in cluster.ends:
        for to in cluster.ends:
            if source is to or not (source.pod or to.pod):
                continue
            for version in set(source.address) & set(to.address):
                for port in PORTS:
                    for name, ask in (("TCP", tcp), ("UDP", udp)):
                        want = cluster.allowed(source, to, name, port, version)
                        got = ask(places[source.text], places[to.text], port, version, want)
                        asked, open_ = asked + 1, open_ + want
                        if got is not want:
                            wrong.append(f"{source.text} -> {to.text} {name} {port} IPv{version}: {got}, the oracle says {want}")
    for place in places.values():
        place.holder.send_signal(signal.SIGKILL)
    if wrong:
        print(f"set {seed} by {backend} differs:", *wrong[:10], text, sep="\n  ")
    print(f"{backend}, set {seed}: {asked} connections, {open_} allowed")
    return bool(wrong)


HOME = os.open("/proc/self/ns/net", os.O_RDONLY)
if __name__ == "__main__":
    sys.exit(main())
