#!/usr/bin/env python3
"""A node with 110 pods and many policies, for the benchmark of packets: as objects, and as rules in two layouts of others.

  policies.py objects POLICIES [PODS]  for cnibox; the node is "here"; PODS more pods elsewhere are allowed like others
  policies.py linear POLICIES          for nft: a flat list, a rule for each pod, peer and port
  policies.py chains POLICIES          for nft: a chain for each pod and for each policy with its sets, like kube-router's

Ten namespaces of fifty pods of eleven applications; of each application one pod is on the node. A policy is about one
application: the next one may come to it and it may go to the one before, at UDP 7000 and a port of the policy's own; a
network may come, too. What is measured goes from 10.1.0.67 (ns5, app6) to 10.1.0.57 (ns5, app5).
"""
import json
import sys

SPACES, APPS, PODS = 10, 11, 50


def pods():
    """Namespace, application, address, on the node."""
    for space in range(SPACES):
        for n in range(PODS):
            here = n < APPS
            yield space, n % APPS, f"10.1.0.{2 + n * SPACES + space}" if here else f"10.2.{space}.{n}", here


def policies(count):
    """Number, namespace, application, its own port, its network."""
    for i in range(count):
        yield i, i % SPACES, i // SPACES % APPS, 20000 + i // (SPACES * APPS), f"172.{16 + i // 256 % 16}.{i % 256}.0/24"


def objects(count, more=0):
    items = []
    for number, (space, app, address, here) in enumerate(pods()):
        items.append(pod(f"p{number}", space, app, address, "here" if here else "there"))
    for n in range(more):
        items.append(pod(f"more{n}", 5, 6, f"10.3.{n // 250}.{n % 250 + 1}", "there"))
    for i, space, app, port, network in policies(count):
        ports = [{"protocol": "UDP", "port": 7000}, {"protocol": "TCP", "port": port}]
        spec = {"podSelector": {"matchLabels": {"app": f"app{app}"}}, "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": f"app{(app + 1) % APPS}"}}},
                                      {"ipBlock": {"cidr": network}}], "ports": ports}],
                "egress": [{"to": [{"podSelector": {"matchLabels": {"app": f"app{(app - 1) % APPS}"}}}], "ports": ports}]}
        items.append({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                      "metadata": {"name": f"policy{i}", "namespace": f"ns{space}"}, "spec": spec})
    json.dump({"apiVersion": "v1", "kind": "List", "items": items}, sys.stdout)


def pod(name, space, app, address, node):
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": f"ns{space}", "labels": {"app": f"app{app}"}},
            "spec": {"nodeName": node, "containers": [{"name": "c"}]},
            "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}}


def by_app(here=None):
    found = {}
    for space, app, address, is_here in pods():
        if here is None or here == is_here:
            found.setdefault((space, app), []).append(address)
    return found


def linear(count):
    everybody, rules = by_app(), {"in": {}, "out": {}}
    for _, space, app, port, network in policies(count):
        for address in by_app(True)[space, app]:
            for match in ("udp dport 7000", f"tcp dport {port}"):
                for peer in everybody[space, (app + 1) % APPS] + [network]:
                    rules["in"].setdefault(address, []).append(f"ip daddr {address} ip saddr {peer} {match} return")
                for peer in everybody[space, (app - 1) % APPS]:
                    rules["out"].setdefault(address, []).append(f"ip saddr {address} ip daddr {peer} {match} return")
    print("table ip linear {")
    for name, side in (("in", "daddr"), ("out", "saddr")):
        print(f" chain {name} {{")
        for address, lines in sorted(rules[name].items()):
            print("\n".join(f"  {line}" for line in lines))
        for address in sorted(rules[name]):
            print(f"  ip {side} {address} reject")
        print(" }")
    print(" chain forward { type filter hook forward priority 0\n  ct state established,related accept\n  jump out\n  jump in\n }\n}")


def chains(count):
    everybody, local, jumps = by_app(), by_app(True), {}
    print("table ip chains {")
    for i, space, app, port, network in policies(count):
        print(f" set dst{i} {{ type ipv4_addr; elements = {{ {', '.join(local[space, app])} }}; }}")
        print(f" set in{i} {{ type ipv4_addr; elements = {{ {', '.join(everybody[space, (app + 1) % APPS])} }}; }}")
        print(f" set net{i} {{ type ipv4_addr; flags interval; elements = {{ {network} }}; }}")
        print(f" set out{i} {{ type ipv4_addr; elements = {{ {', '.join(everybody[space, (app - 1) % APPS])} }}; }}")
        print(f" chain policy{i} {{")
        for peers in (f"ip saddr @in{i} ip daddr @dst{i}", f"ip saddr @net{i} ip daddr @dst{i}", f"ip saddr @dst{i} ip daddr @out{i}"):
            for match in ("udp dport 7000", f"tcp dport {port}"):
                print(f"  {peers} {match} counter meta mark set meta mark or 0x10000")
                print("  meta mark and 0x10000 == 0x10000 return")
        print(" }")
        for address in local[space, app]:
            jumps.setdefault(address, []).append(f"jump policy{i}")
    for address, lines in jumps.items():
        print(f" chain pod-{address} {{\n  ct state invalid drop\n  ct state established,related accept")
        print(f"  fib saddr type local ip daddr {address} accept")
        print("\n".join(f"  {line}" for line in lines))
        print("  meta mark and 0x10000 == 0 limit rate 10/minute log group 100\n  meta mark and 0x10000 == 0 reject")
        print("  meta mark set meta mark and 0xfffeffff\n  meta mark set meta mark or 0x20000\n }")
    print(" chain forward { type filter hook forward priority 0")
    for address in jumps:
        for match in (f"ip daddr {address}", f"ip saddr {address}", f"iifname \"none*\" ip daddr {address}",
                      f"iifname \"none*\" ip saddr {address}"):
            print(f"  {match} jump pod-{address}")
    print("  meta mark and 0x20000 == 0x20000 accept\n }\n}")


def main():
    {"objects": objects, "linear": linear, "chains": chains}[sys.argv[1]](*map(int, sys.argv[2:]))


if __name__ == "__main__":
    main()
