#!/usr/bin/env python3
"""NetworkPolicy and ClusterNetworkPolicy once more, written from the contract (section 1) alone, to hold cnibox against.

  policy_oracle.py compare CNIBOX SETS [SEED]  random sets of policies: every answer of `matrix --check` is compared
  policy_oracle.py generate SEED               one random set of objects
  policy_oracle.py bench POLICIES PODS SPACES  a large cluster, for the benchmark
"""
import ipaddress
import json
import random
import subprocess
import sys

PROTOCOLS = ["TCP", "UDP", "SCTP"]


# ---- the oracle ---------------------------------------------------------------------------------------------------

def selector_matches(selector, labels):
    """A label selector; None and {} are the same here: the caller knows what missing means."""
    selector = selector or {}
    for key, value in (selector.get("matchLabels") or {}).items():
        if key not in labels or labels[key] != value:
            return False
    for term in selector.get("matchExpressions") or []:
        key, values = term["key"], term.get("values") or []
        there = key in labels
        if not {"In": there and labels[key] in values,
                "NotIn": not there or labels[key] not in values,
                "Exists": there,
                "DoesNotExist": not there}[term["operator"]]:
            return False
    return True


def inside(cidr, address):
    network = ipaddress.ip_network(cidr, strict=False)
    return network.version == address.version and address in network


class End:
    """A pod, or an address of the outside."""

    def __init__(self, text, addresses, pod=None, space=None, labels=None):
        self.text, self.pod, self.space, self.labels = text, pod, space, labels
        self.address = {}
        for address in addresses:
            self.address.setdefault(ipaddress.ip_address(address).version, ipaddress.ip_address(address))
        self.node = pod["spec"].get("nodeName") if pod else None
        self.ports = {}
        for container in (pod["spec"].get("containers") or []) if pod else []:
            for port in container.get("ports") or []:
                if port.get("name"):
                    self.ports.setdefault((port["name"], port.get("protocol", "TCP")), port["containerPort"])


class Cluster:
    def __init__(self, objects):
        self.spaces, self.policies, self.ends, self.node_addresses = {}, [], [], {}
        self.clusters, self.node_labels = [], {}
        pods = []
        for item in objects:
            kind, meta = item["kind"], item["metadata"]
            if kind == "Namespace":
                self.spaces[meta["name"]] = dict(meta.get("labels") or {})
            elif kind == "Pod":
                pods.append(item)
            elif kind == "NetworkPolicy":
                self.policies.append(item)
            elif kind == "ClusterNetworkPolicy":
                self.clusters.append(item)
            elif kind == "Node":
                self.node_labels[meta["name"]] = meta.get("labels") or {}
                self.node_addresses.setdefault(meta["name"], set())
                for address in item["status"]["addresses"]:
                    if address["type"] != "Hostname":
                        self.node_addresses.setdefault(meta["name"], set()).add(address["address"])
        for item in pods + self.policies:
            self.spaces.setdefault(self.space_of(item), {})
        for name, labels in self.spaces.items():
            labels["kubernetes.io/metadata.name"] = name
        for pod in pods:
            self.add_pod(pod)
        self.clusters.sort(key=lambda item: (item["spec"]["priority"], item["metadata"]["name"]))
        self.by_address = {str(a): end for end in self.ends if end.pod for a in end.address.values()}
        self.inside = {}

    @staticmethod
    def space_of(item):
        return item["metadata"].get("namespace") or "default"

    def add_pod(self, pod):
        status, spec = pod.get("status") or {}, pod["spec"]
        if status.get("phase") in ("Succeeded", "Failed"):
            return
        addresses = [entry["ip"] for entry in status.get("podIPs") or []]
        if status.get("podIP"):
            addresses.insert(0, status["podIP"])
        own = self.node_addresses.setdefault(spec.get("nodeName"), set())
        own.update(entry["ip"] for entry in status.get("hostIPs") or [])
        text = f"{self.space_of(pod)}/{pod['metadata']['name']}"
        if spec.get("hostNetwork"):
            own.update(addresses)
            self.ends.append(End(text, addresses))
        else:
            self.ends.append(End(text, addresses, pod, self.space_of(pod), pod["metadata"].get("labels") or {}))

    def add_address(self, address):
        known = self.by_address.get(address)
        if known:
            self.ends.append(End(address, [address], known.pod, known.space, known.labels))
        else:
            self.ends.append(End(address, [address]))

    def effective_types(self, policy):
        spec = policy.get("spec") or {}
        if spec.get("policyTypes"):
            return set(spec["policyTypes"])
        return {"Ingress", "Egress"} if spec.get("egress") else {"Ingress"}

    def applicable(self, end, direction):
        return [policy for policy in self.policies
                if self.space_of(policy) == end.space and direction in self.effective_types(policy)
                and selector_matches((policy.get("spec") or {}).get("podSelector"), end.labels)]

    def block_has(self, block, address):
        key = (block["cidr"], tuple(block.get("except") or []), address)
        if key not in self.inside:
            self.inside[key] = inside(block["cidr"], address) and not any(
                inside(hole, address) for hole in block.get("except") or [])
        return self.inside[key]

    def peer_matches(self, policy, peer, end, version):
        if peer.get("ipBlock") is not None:
            address = end.address.get(version) if version else None
            return address is not None and self.block_has(peer["ipBlock"], address)
        if not end.pod:
            return False
        if peer.get("namespaceSelector") is None:
            if end.space != self.space_of(policy):
                return False
        elif not selector_matches(peer["namespaceSelector"], self.spaces[end.space]):
            return False
        return peer.get("podSelector") is None or selector_matches(peer["podSelector"], end.labels)

    @staticmethod
    def port_matches(entry, to, protocol, number):
        if (entry.get("protocol") or "TCP") != protocol:
            return False
        port = entry.get("port")
        if port is None:
            return True
        if isinstance(port, str):
            return to.ports.get((port, protocol)) == number
        return port <= number <= (entry.get("endPort") or port)

    def rule_allows(self, policy, rule, peers, peer_end, to, protocol, number, version):
        ports = rule.get("ports") or []
        if ports and not any(self.port_matches(entry, to, protocol, number) for entry in ports):
            return False
        peers = rule.get(peers) or []
        return not peers or any(self.peer_matches(policy, peer, peer_end, version) for peer in peers)

    # ClusterNetworkPolicy

    def in_pods(self, pods, end):
        return bool(end.pod) and selector_matches(pods.get("namespaceSelector"), self.spaces[end.space]) and \
            selector_matches(pods["podSelector"], end.labels)

    def in_spaces(self, selector, end):
        return bool(end.pod) and selector_matches(selector, self.spaces[end.space])

    def is_subject(self, item, end):
        subject = item["spec"]["subject"]
        return self.in_spaces(subject["namespaces"], end) if "namespaces" in subject else self.in_pods(subject["pods"], end)

    def cluster_peer_matches(self, peer, end, version):
        address = end.address.get(version) if version else None
        if "namespaces" in peer:
            return self.in_spaces(peer["namespaces"], end)
        if "pods" in peer:
            return self.in_pods(peer["pods"], end)
        if "networks" in peer:
            return address is not None and any(self.block_has({"cidr": cidr}, address) for cidr in peer["networks"])
        return any(str(address) in addresses and selector_matches(peer["nodes"], self.node_labels.get(node, {}))
                   for node, addresses in self.node_addresses.items() if node)

    @staticmethod
    def cluster_protocol_matches(entry, to, protocol, number):
        if "destinationNamedPort" in entry:
            return to.ports.get((entry["destinationNamedPort"], protocol)) == number
        port = (entry.get(protocol.lower()) or {}).get("destinationPort")
        if port is None:
            return False
        if "number" in port:
            return port["number"] == number
        return port["range"]["start"] <= number <= port["range"]["end"]

    def cluster_action(self, rule, peers, other, to, protocol, number, version):
        """What the rule does with the connection; None: it does not match."""
        known = ({"namespaces", "pods"} if peers == "from" else {"namespaces", "pods", "nodes", "networks"})
        kinds = {"tcp", "udp", "sctp", "destinationNamedPort"}
        if not all(set(peer) <= known for peer in rule[peers]) or not all(
                set(entry) <= kinds for entry in rule.get("protocols", [])):
            return None if rule["action"] == "Accept" else "Deny"
        if "protocols" in rule and not any(
                self.cluster_protocol_matches(entry, to, protocol, number) for entry in rule["protocols"]):
            return None
        return rule["action"] if any(self.cluster_peer_matches(peer, other, version) for peer in rule[peers]) else None

    def tier_action(self, tier, section, peers, subject, other, to, protocol, number, version):
        for item in self.clusters:
            if item["spec"]["tier"] != tier or not self.is_subject(item, subject):
                continue
            for rule in item["spec"].get(section) or []:
                action = self.cluster_action(rule, peers, other, to, protocol, number, version)
                if action:
                    return action
        return "Pass"

    def allowed(self, source, to, protocol, number, version):
        if source.pod and source.pod is to.pod:
            return True
        if version:
            if to.pod and str(source.address[version]) in self.node_addresses.get(to.node, ()) and to.node:
                return True
            if source.pod and str(to.address[version]) in self.node_addresses.get(source.node, ()) and source.node:
                return True
        for direction, section, peers, subject, other in (("Egress", "egress", "to", source, to),
                                                          ("Ingress", "ingress", "from", to, source)):
            if not subject.pod:
                continue
            asked = section, peers, subject, other, to, protocol, number, version
            action = self.tier_action("Admin", *asked)
            policies = self.applicable(subject, direction)
            if action == "Pass" and policies:
                action = "Accept" if any(
                    self.rule_allows(policy, rule or {}, peers, other, to, protocol, number, version)
                    for policy in policies for rule in (policy.get("spec") or {}).get(section) or []) else "Deny"
            elif action == "Pass":
                action = self.tier_action("Baseline", *asked)
            if action == "Deny":
                return False
        return True

    def table(self, ports):
        rows = {}
        applicable = self.applicable
        cache = {}
        self.applicable = lambda end, direction: cache.setdefault((id(end), direction), None) or cache.update(
            {(id(end), direction): applicable(end, direction)}) or cache[(id(end), direction)]
        for source in self.ends:
            for to in self.ends:
                if not source.pod and not to.pod:
                    continue
                versions = [v for v in (4, 6) if v in source.address and v in to.address]
                for number, protocol in ports:
                    row = {f"ipv{v}": self.allowed(source, to, protocol, number, v) for v in versions}
                    if not versions and (not source.address or not to.address):
                        row["allowed"] = self.allowed(source, to, protocol, number, None)
                    else:
                        row["allowed"] = bool(row) and all(row.values())
                    rows[source.text, to.text, number, protocol] = row
        return rows


# ---- random objects -----------------------------------------------------------------------------------------------

class Generator:
    keys, values = ["a", "b", "c", "example.com/d"], ["", "x", "y", "z"]
    names = ["http", "dns", "sql"]
    blocks = {"10.0.0.0/8": ["10.0.0.0/24", "10.0.1.0/24", "10.0.0.2/32", "10.0.0.0/9", "10.128.0.0/9"],
              "10.0.0.0/24": ["10.0.0.0/30", "10.0.0.1/32", "10.0.0.2/31"], "0.0.0.0/0": ["10.0.0.0/8", "0.0.0.0/1", "203.0.113.7/32"],
              "10.0.0.3/31": ["10.0.0.2/32"], "192.0.2.0/24": ["192.0.2.2/32"], "203.0.113.7/32": [],
              "::/0": ["fd00::/8", "fd00::2/128", "::/1"], "fd00::/16": ["fd00::/64", "fd00:0:0:1::/64", "fd00::4/126"], "2001:db8::/32": []}
    outside = ["203.0.113.7", "2001:db8::7", "192.0.2.1", "192.0.2.2", "198.51.100.9"]

    def __init__(self, seed):
        self.r = random.Random(seed)

    def maybe(self, chance):
        return self.r.random() < chance

    def labels(self):
        return {key: self.r.choice(self.values) for key in self.keys if self.maybe(0.5)}

    def term(self):
        operator = self.r.choice(["In", "NotIn", "NotIn", "Exists", "DoesNotExist"])
        term = {"key": self.r.choice(self.keys), "operator": operator}
        if operator in ("In", "NotIn"):
            term["values"] = [self.r.choice(self.values) for _ in range(self.r.randint(1, 3))]
        return term

    def selector(self):
        if self.maybe(0.3):
            return {}
        selector = {}
        if self.maybe(0.5):
            selector["matchLabels"] = {self.r.choice(self.keys): self.r.choice(self.values)}
        if self.maybe(0.5):
            selector["matchExpressions"] = [self.term() for _ in range(self.r.randint(0, 2))]
        return selector

    def space_selector(self):
        if self.maybe(0.2):
            return {"matchLabels": {"kubernetes.io/metadata.name": self.r.choice(["one", "two", "default"])}}
        return self.selector()

    def peer(self):
        kind = self.r.random()
        if kind < 0.35:
            cidr = self.r.choice(list(self.blocks))
            block = {"cidr": cidr}
            holes = [hole for hole in self.blocks[cidr] if self.maybe(0.4)]
            if holes or self.maybe(0.1):
                block["except"] = holes
            return {"ipBlock": block}
        peer = {}
        if kind < 0.8:
            peer["podSelector"] = self.selector()
        if kind > 0.6:
            peer["namespaceSelector"] = self.space_selector()
        return peer

    def port(self):
        port = {}
        if self.maybe(0.6):
            port["protocol"] = self.r.choice(PROTOCOLS)
        kind = self.r.random()
        if kind < 0.4:
            port["port"] = self.r.choice([80, 81, 53, 8080])
        elif kind < 0.6:
            port["port"] = self.r.choice([79, 80, 53])
            port["endPort"] = port["port"] + self.r.choice([0, 1, 30, 9000])
        elif kind < 0.9:
            port["port"] = self.r.choice(self.names)
        return port

    def rule(self, peers):
        rule = {}
        if self.maybe(0.8):
            rule[peers] = [self.peer() for _ in range(self.r.choice([0, 1, 1, 2, 3]))]
        if self.maybe(0.7):
            rule["ports"] = [self.port() for _ in range(self.r.choice([0, 1, 1, 2, 3]))]
        return rule

    def policy(self, i):
        spec = {}
        if self.maybe(0.9):
            spec["podSelector"] = self.selector()
        if self.maybe(0.6):
            spec["policyTypes"] = self.r.choice([[], ["Ingress"], ["Egress"], ["Ingress", "Egress"], ["Egress", "Egress"], None])
        for section, peers in (("ingress", "from"), ("egress", "to")):
            if self.maybe(0.6):
                spec[section] = [self.rule(peers) for _ in range(self.r.choice([0, 1, 1, 2]))]
        meta = {"name": f"p{i}"}
        if self.maybe(0.9):
            meta["namespace"] = self.r.choice(["one", "two", "default"])
        return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}

    def pods(self):
        pods = {"podSelector": self.selector()}
        if self.maybe(0.8):
            pods["namespaceSelector"] = self.space_selector()
        return pods

    def cluster_peer(self, peers):
        kind = self.r.random()
        if kind < 0.03:
            return {self.r.choice(["services", "x"]): {}}
        if kind < 0.06 and peers == "to":
            return {"domainNames": ["*.example.com"]}
        if kind < 0.35:
            return {"namespaces": self.space_selector()}
        if kind < 0.65 or peers == "from":
            return {"pods": self.pods()}
        if kind < 0.75:
            return {"nodes": self.selector()}
        return {"networks": self.r.sample(list(self.blocks), self.r.choice([1, 1, 2, 3]))}

    def protocol(self, named):
        if named and self.maybe(0.3):
            return {"destinationNamedPort": self.r.choice(self.names)}
        if self.maybe(0.02):
            return {"quic": {}}
        start = self.r.choice([53, 79, 80, 8080])
        port = {"number": start} if self.maybe(0.6) else {"range": {"start": start, "end": start + self.r.choice([1, 30, 9000])}}
        return {self.r.choice(["tcp", "udp", "sctp"]): {"destinationPort": port}}

    def cluster_rule(self, peers):
        rule = {"action": self.r.choice(["Accept", "Deny", "Deny", "Pass"]),
                peers: [self.cluster_peer(peers) for _ in range(self.r.choice([1, 1, 2, 3]))]}
        if any("domainNames" in peer for peer in rule[peers]):
            rule["action"] = "Accept"
        named = not any(set(peer) & {"networks", "nodes", "domainNames"} for peer in rule[peers])
        if self.maybe(0.6):
            rule["protocols"] = [self.protocol(named) for _ in range(self.r.choice([1, 1, 2, 3]))]
        if self.maybe(0.2):
            rule["name"] = "a rule"
        return rule

    def cluster_policy(self, i):
        spec = {"tier": self.r.choice(["Admin", "Admin", "Baseline"]), "priority": self.r.choice([0, 5, 5, 1000]),
                "subject": {"namespaces": self.space_selector()} if self.maybe(0.5) else {"pods": self.pods()}}
        for section, peers in (("ingress", "from"), ("egress", "to")):
            if self.maybe(0.7):
                spec[section] = [self.cluster_rule(peers) for _ in range(self.r.choice([0, 1, 2, 3, 5]))]
        return {"apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy",
                "metadata": {"name": f"c{i}"}, "spec": spec}

    def containers(self):
        numbers = {"http": [80, 8080], "dns": [53, 81], "sql": [80, 81, 53]}
        containers = []
        for i in range(self.r.randint(0, 2)):
            ports = [{"name": name, "containerPort": self.r.choice(numbers[name]), "protocol": self.r.choice(PROTOCOLS)}
                     for name in self.names if self.maybe(0.5)]
            for port in ports:
                if port["protocol"] == "TCP" and self.maybe(0.5):
                    del port["protocol"]
            containers.append({"name": f"c{i}", "ports": ports} if self.maybe(0.9) else {"name": f"c{i}"})
        return containers

    def pod(self, i):
        node = self.r.choice(["n1", "n2", None])
        status = {"phase": self.r.choice(["Running", "Running", "Running", "Pending", "Unknown"])}
        spec = {"containers": self.containers()}
        if node:
            spec["nodeName"] = node
        v4, v6 = f"10.0.{self.r.randint(0, 1)}.{i + 1}", f"fd00::{'1:' if self.maybe(0.3) else ''}{i + 1:x}"
        if node and self.maybe(0.15):
            spec["hostNetwork"] = True
            v4, v6 = f"192.0.2.{node[1]}", f"2001:db8::{node[1]}"
        elif self.maybe(0.12):
            status["phase"] = self.r.choice(["Succeeded", "Failed"])
            v4 = f"10.0.0.{self.r.randint(1, 9)}"
        addresses = self.r.choice([[v4], [v4], [v6], [v4, v6], [v6, v4], []])
        if addresses:
            status["podIP"] = addresses[0]
            if self.maybe(0.8) or len(addresses) > 1:
                status["podIPs"] = [{"ip": address} for address in addresses]
        if node and self.maybe(0.3):
            status["hostIPs"] = [{"ip": f"192.0.2.{node[1]}"}]
        meta = {"name": f"pod{i}", "namespace": self.r.choice(["one", "two", "default"]), "labels": self.labels()}
        if self.maybe(0.1):
            meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}

    def objects(self):
        spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": self.labels()}}
                  for name in ("one", "two") if self.maybe(0.8)]
        nodes = [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": self.labels()},
                  "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"},
                                           {"type": "Hostname", "address": "n1"}]}}]
        pods = [self.pod(i) for i in range(self.r.randint(3, 8))]
        policies = [self.policy(i) for i in range(self.r.randint(1, 6))]
        if self.maybe(0.6):
            policies = policies[:self.r.randint(0, 3)]
            policies += [self.cluster_policy(i) for i in range(self.r.randint(1, 5))]
        items = spaces + nodes + pods + policies
        if self.maybe(0.3):
            self.r.shuffle(items)
        return items

    def ports(self):
        every = [(number, protocol) for number in (53, 79, 80, 81, 110, 8080) for protocol in PROTOCOLS]
        return self.r.sample(every, 5)


def compare(cnibox, sets, seed):
    asked, open_, split = 0, 0, 0
    for i in range(sets):
        generator = Generator(f"{seed}/{i}")
        objects, ports = generator.objects(), generator.ports()
        cluster = Cluster(objects)
        outside = generator.r.sample(generator.outside, 2) + [f"10.0.0.{generator.r.randint(1, 9)}"]
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        command = [cnibox, "policy-iptables", "matrix", "-f", "-", "--json", "--check"]
        for number, protocol in ports:
            command += ["-p", f"{number}/{protocol}"]
        for address in outside:
            command += ["-a", address]
            cluster.add_address(address)
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        wrong = [] if done.returncode == 0 else [done.stderr]
        want, got = cluster.table(ports), {}
        for row in json.loads(done.stdout or "[]"):
            key = row.pop("from"), row.pop("to"), row.pop("port"), row.pop("protocol")
            got[key] = row
        wrong += [f"{key}: cnibox {got.get(key)}, oracle {want.get(key)}"
                  for key in want.keys() | got.keys() if got.get(key) != want.get(key)]
        if wrong:
            print(f"set {seed}/{i} differs:", *wrong[:10], sep="\n  ")
            print(text)
            return 1
        asked += len(want)
        open_ += sum(row["allowed"] for row in want.values())
        split += sum(row.get("ipv4", True) != row.get("ipv6", row.get("ipv4", True)) for row in want.values())
    print(f"{sets} sets, {asked} answers, {100 * open_ // max(asked, 1)} % allowed, {split} by one family only")
    return 0


def bench(n_policies, n_pods, n_spaces):
    """Applications of ten pods; each policy is about one, and lets two others of its namespace and a team come in."""
    r = random.Random(1)
    per_space = n_pods // n_spaces
    apps = max(per_space // 10, 1)
    items = [{"apiVersion": "v1", "kind": "Namespace",
              "metadata": {"name": f"ns{s}", "labels": {"team": f"t{s % 10}"}}} for s in range(n_spaces)]
    for i in range(n_pods):
        s, n = i % n_spaces, i // n_spaces
        ip = f"10.{i // 65536}.{i // 256 % 256}.{i % 256}"
        items.append({"apiVersion": "v1", "kind": "Pod",
                      "metadata": {"name": f"pod{i}", "namespace": f"ns{s}",
                                   "labels": {"app": f"app{n % apps}", "tier": f"t{n % 3}", "pod-template-hash": f"h{n % apps}"}},
                      "spec": {"nodeName": f"node{i % max(n_pods // 110, 1)}",
                               "containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 8080 + i % 2}]}]},
                      "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}})
    for i in range(n_policies):
        app = lambda: {"podSelector": {"matchLabels": {"app": f"app{r.randrange(apps)}"}}}  # noqa: E731
        team = {"namespaceSelector": {"matchLabels": {"team": f"t{r.randrange(10)}"}}, **app()}
        spec = {"podSelector": {"matchLabels": {"app": f"app{i // n_spaces % apps}"}}, "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [app(), app(), team], "ports": [{"protocol": "TCP", "port": r.choice([80, 443, 8080, "http"])},
                                                                   {"protocol": "TCP", "port": 9000 + r.randrange(100)}]}],
                "egress": [{"to": [app()], "ports": [{"protocol": "TCP", "port": "http"}]},
                           {"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": [f"10.{r.randrange(200)}.0.0/16"]}}],
                            "ports": [{"protocol": "UDP", "port": 53}]}]}
        items.append({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                      "metadata": {"name": f"policy{i}", "namespace": f"ns{i % n_spaces}"}, "spec": spec})
    json.dump({"apiVersion": "v1", "kind": "List", "items": items}, sys.stdout)


def main():
    words = sys.argv[1:]
    if len(words) >= 3 and words[0] == "compare":
        return compare(words[1], int(words[2]), words[3] if len(words) > 3 else "0")
    if len(words) == 2 and words[0] == "generate":
        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": Generator(words[1]).objects()}))
        return 0
    if len(words) == 4 and words[0] == "bench":
        bench(*map(int, words[1:]))
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
