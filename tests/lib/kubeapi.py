#!/usr/bin/env python3
"""A Kubernetes API server as far as nodes and pods go, for tests: real kubectl is content with it (458-kubernetes.bats).

    kubeapi.py ADDRESS PORT [OPTION=VALUE ...]    run it until it is killed
        state=FILE      objects, kept over a restart (SIGTERM)
        cert=, key=     serve TLS with these; ca=FILE: take client certificates that it has signed
        tokens=A,B      whom to let in (a client certificate does as well); without tokens and ca: everybody
        bookmarks=S     send watches that want it a bookmark every S seconds (60)
    On the port above it takes one line with words and tabs between, and answers with a line, "ok" or what is wrong, and text:
        node NAME [CIDR ...]      a node with these podCIDRs; one that is there gets them
        pod NAMESPACE NAME NODE   a pod on that node
        annotate NAME K=V|K- ...  annotations of a node, as somebody by hand
        get NAME                  the node, as JSON; delete NAME; fill N: nodes that only make it many
        cut                       close all connections; hang: leave them open and silent
        expire                    forget the history: whoever resumes is told 410
        deny VERB RESOURCE        403 from now on; allow: none any more
        tokens A,B                other tokens
        put JSON                  an object of any kind, made or replaced as it is: nothing is checked
        drop KIND NAME            the same gone; NAME is namespace/name where the kind has namespaces
        crd on|off                whether there is ClusterNetworkPolicy; off: its objects are gone, and its watches end
        log                       the requests so far, one in each line; forget them
"""
import base64
import copy
import json
import os
import signal
import socket
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

# Lists of a node that a strategic merge patch merges, by the key that tells their items apart; others are replaced.
MERGE_KEYS = {"conditions": "type", "addresses": "type", "taints": None, "podCIDRs": None}
KINDS = {"nodes": "Node", "pods": "Pod", "namespaces": "Namespace", "networkpolicies": "NetworkPolicy",
         "clusternetworkpolicies": "ClusterNetworkPolicy"}
GROUPS = {"networkpolicies": "networking.k8s.io/v1", "clusternetworkpolicies": "policy.networking.k8s.io/v1alpha2"}
SPACELESS = {"nodes", "namespaces", "clusternetworkpolicies"}


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def merge(old, patch, strategic):
    """What a merge patch (RFC 7386), or a strategic one, makes of old."""
    if not isinstance(patch, dict) or not isinstance(old, dict):
        return clean(patch) if isinstance(patch, dict) else patch
    out = dict(old)
    for key, value in patch.items():
        if strategic and key.startswith("$"):
            continue
        if value is None:
            out.pop(key, None)
        elif strategic and isinstance(value, list) and MERGE_KEYS.get(key):
            out[key] = merge_list(out.get(key) or [], value, MERGE_KEYS[key])
        else:
            out[key] = merge(out.get(key), value, strategic)
    return out


def merge_list(old, patch, by):
    out = list(old)
    for item in patch:
        i = next((i for i, there in enumerate(out) if there.get(by) == item.get(by)), None)
        if item.get("$patch") == "delete":
            out = [there for there in out if there.get(by) != item.get(by)]
        elif i is None:
            out.append(item)
        else:
            out[i] = merge(out[i], item, True)
    return out


def clean(value):
    return {k: clean(v) if isinstance(v, dict) else v for k, v in value.items() if v is not None}


class Failure(Exception):
    def __init__(self, code, reason, message):
        super().__init__(message)
        self.status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                       "message": message, "reason": reason, "code": code}


class Store:
    """The objects, and what happened to them."""

    def __init__(self, path):
        self.lock = threading.Condition()
        self.path = path
        self.objects = {resource: {} for resource in KINDS}
        self.revision = 100
        if path and os.path.exists(path):
            saved = json.load(open(path))
            self.objects.update(saved["objects"])
            self.revision = saved["revision"]
        self.crd = False
        self.events = []  # (revision, resource, type, object)
        self.oldest = self.revision
        self.snapshots = {}
        self.broken = 0  # how often all connections were cut
        self.watches = self.silent = 0  # watches so far, and those up to which say nothing more

    def change(self, resource, key, kind, obj):
        self.revision += 1
        obj = copy.deepcopy(obj)
        obj["metadata"]["resourceVersion"] = str(self.revision)
        if kind == "DELETED":
            self.objects[resource].pop(key)
        else:
            self.objects[resource][key] = obj
        self.events.append((self.revision, resource, kind, obj))
        self.lock.notify_all()
        return obj

    def save(self):
        if self.path:
            with self.lock, open(self.path, "w") as file:
                json.dump({"objects": self.objects, "revision": self.revision}, file)

    def create(self, resource, obj):
        meta = obj.setdefault("metadata", {})
        key = meta["name"] if resource in SPACELESS else meta.setdefault("namespace", "default") + "/" + meta["name"]
        if key in self.objects[resource]:
            raise Failure(409, "AlreadyExists", f'{resource} "{meta["name"]}" already exists')
        meta.setdefault("uid", f"00000000-0000-0000-0000-{self.revision:012}")
        meta.setdefault("creationTimestamp", now())
        obj.update(kind=KINDS[resource], apiVersion=GROUPS.get(resource, "v1"))
        obj.setdefault("spec", {})
        obj.setdefault("status", {})
        return self.change(resource, key, "ADDED", obj)

    def put(self, obj):
        resource = next(r for r, kind in KINDS.items() if kind == obj["kind"])
        meta = obj["metadata"]
        key = meta["name"] if resource in SPACELESS else meta.setdefault("namespace", "default") + "/" + meta["name"]
        if key not in self.objects[resource]:
            return self.create(resource, obj)
        meta.setdefault("uid", self.objects[resource][key]["metadata"].get("uid"))
        return self.change(resource, key, "MODIFIED", obj)

    def find(self, resource, key):
        if key not in self.objects[resource]:
            raise Failure(404, "NotFound", f'{resource} "{key.split("/")[-1]}" not found')
        return self.objects[resource][key]

    def patch(self, resource, key, patch, strategic, status):
        old = self.find(resource, key)
        wanted = patch.get("metadata", {}).get("resourceVersion")
        if wanted and wanted != old["metadata"]["resourceVersion"]:
            raise Failure(409, "Conflict", f'Operation cannot be fulfilled on {resource} "{key}": the object has been '
                          "modified; please apply your changes to the latest version and try again")
        new = merge(old, patch, strategic)
        # Each way in leaves the other's part alone; metadata can be changed by both.
        part = "spec" if status else "status"
        new[part] = old[part]
        return old if new == old else self.change(resource, key, "MODIFIED", new)

    def page(self, resource, limit, token):
        if token:
            revision, start = json.loads(base64.b64decode(token))
            if revision not in self.snapshots:
                raise Failure(410, "Expired", "The provided continue parameter is too old")
        else:
            revision, start = self.revision, 0
            self.snapshots[revision] = [self.objects[resource][k] for k in sorted(self.objects[resource])]
        items = self.snapshots[revision]
        end = start + limit if limit else len(items)
        meta = {"resourceVersion": str(revision)}
        if end < len(items):
            meta["continue"] = base64.b64encode(json.dumps([revision, end]).encode()).decode()
            meta["remainingItemCount"] = len(items) - end
        return items[start:end], meta


def selected(obj, selector):
    """fieldSelector, as far as kubectl uses it: metadata.name=x,spec.nodeName!=y"""
    for term in filter(None, selector.split(",")):
        path, _, wanted = term.partition("=")
        value = obj
        for part in path.rstrip("!").split("."):
            value = value.get(part, {}) if isinstance(value, dict) else {}
        if (value == wanted.lstrip("=")) == path.endswith("!"):
            return False
    return True


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, options):
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)
        self.store = Store(options.get("state"))
        self.tokens = set(filter(None, options.get("tokens", "").split(",")))
        self.open = not self.tokens and "ca" not in options
        self.bookmarks = float(options.get("bookmarks", 60))
        self.denied = set()
        self.log = []
        self.tls = None
        if "cert" in options:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(options["cert"], options["key"])
            if "ca" in options:
                self.tls.verify_mode = ssl.CERT_OPTIONAL
                self.tls.load_verify_locations(options["ca"])

    def finish_request(self, request, client_address):
        # In the request's own thread: a client that does not shake hands holds up nobody.
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            super().finish_request(self.tls.wrap_socket(request, server_side=True) if self.tls else request,
                                   client_address)
        except OSError:
            pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16

    def log_message(self, *_):
        pass

    # ---- replies ----

    def reply(self, code, obj):
        body = json.dumps(obj).encode() + b"\n"
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def chunk(self, obj):
        line = json.dumps(obj, separators=(",", ":")).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.flush()

    # ---- who, and may they ----

    def user(self):
        word = self.headers.get("Authorization", "")
        if word.startswith("Bearer ") and word[7:] in self.server.tokens:
            return "system:serviceaccount:kube-flannel:flannel"
        if isinstance(self.connection, ssl.SSLSocket) and self.connection.getpeercert():
            for part in self.connection.getpeercert()["subject"]:
                for key, value in part:
                    if key == "commonName":
                        return value
        if self.server.open:
            return "system:anonymous"
        raise Failure(401, "Unauthorized", "Unauthorized")

    def permit(self, user, verb, resource, name):
        if (verb, resource) in self.server.denied:
            what = f'{resource.split("/")[0]} "{name}"' if name else resource
            raise Failure(403, "Forbidden", f'{what} is forbidden: User "{user}" cannot {verb} resource "{resource}" '
                          'in API group "" at the cluster scope')

    # ---- requests ----

    def handle_request(self):
        url = urlsplit(self.path)
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size) if size else b""
        query = {k: v[-1] for k, v in parse_qs(url.query).items()}
        self.server.log.append(f"{self.command} {self.path} {body.decode(errors='replace')}".strip())
        try:
            user = self.user()
            known = self.discovery(url.path)
            if known:
                self.reply(200, known)
            else:
                self.object_request(user, [unquote(p) for p in url.path.strip("/").split("/")], query, body)
        except Failure as failure:
            self.reply(failure.status["code"], failure.status)
        except json.JSONDecodeError as error:
            self.reply(400, Failure(400, "BadRequest", str(error)).status)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = handle_request

    def discovery(self, path):
        verbs = ["create", "delete", "get", "list", "patch", "watch"]

        def resource(name, kind, namespaced, short):
            return {"name": name, "singularName": kind.lower(), "namespaced": namespaced, "kind": kind, "verbs": verbs,
                    "shortNames": [short]}
        return {
            "/version": {"major": "1", "minor": "33", "gitVersion": "v1.33.0", "platform": "linux/amd64"},
            "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
            "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [
                resource("nodes", "Node", False, "no"), resource("pods", "Pod", True, "po"),
                resource("events", "Event", True, "ev"),
                {"name": "nodes/status", "singularName": "", "namespaced": False, "kind": "Node",
                 "verbs": ["get", "patch"]}]},
        }.get(path.rstrip("/"))

    def object_request(self, user, path, query, body):
        """/api/v1/nodes[/NAME[/status]], /api/v1[/namespaces/NS]/pods[/NAME]"""
        namespace = group = None
        if path[:2] == ["api", "v1"] or path[:1] == ["apis"] and len(path) > 3:
            group = None if path[0] == "api" else "/".join(path[1:3])
            path = path[2:] if path[0] == "api" else path[3:]
            if len(path) > 2 and path[0] == "namespaces":
                namespace, path = path[1], path[2:]
        if path[0] == "events":
            self.reply(200, {"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": []})
            return
        if (path[0] not in KINDS or len(path) > 3 or group != GROUPS.get(path[0])
                or path[0] == "clusternetworkpolicies" and not self.server.store.crd):
            raise Failure(404, "NotFound", "the server could not find the requested resource")
        resource, name, sub = path[0], (path + [None])[1], (path + [None, None])[2]
        watch = query.get("watch") in ("1", "true")
        verb = {"GET": "get" if name else "watch" if watch else "list", "POST": "create"}.get(
            self.command, self.command.lower())
        self.permit(user, verb, resource + ("/" + sub if sub else ""), name)
        key = f"{namespace}/{name}" if namespace else name
        if verb == "watch":
            self.watch(resource, query)
            return
        with self.server.store.lock:
            code, answer = self.answer(verb, resource, key, sub, query, body)
        self.reply(code, answer)

    def answer(self, verb, resource, key, sub, query, body):
        store = self.server.store
        if verb == "list":
            items, meta = store.page(resource, int(query.get("limit", 0)), query.get("continue"))
            items = [i for i in items if selected(i, query.get("fieldSelector", ""))]
            return 200, {"kind": KINDS[resource] + "List", "apiVersion": GROUPS.get(resource, "v1"), "metadata": meta, "items": items}
        if verb == "create":
            return 201, store.create(resource, json.loads(body))
        if verb == "get":
            return 200, store.find(resource, key)
        if verb == "delete":
            return 200, store.change(resource, key, "DELETED", store.find(resource, key))
        if verb == "patch":
            kind = self.headers.get("Content-Type", "").split(";")[0]
            if kind not in ("application/strategic-merge-patch+json", "application/merge-patch+json"):
                raise Failure(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {kind}")
            return 200, store.patch(resource, key, json.loads(body), "strategic" in kind, sub == "status")
        raise Failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    def watch(self, resource, query):
        store, selector = self.server.store, query.get("fieldSelector", "")
        deadline = time.monotonic() + float(query.get("timeoutSeconds", 1800))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        since = int(query.get("resourceVersion") or 0)
        with store.lock:
            generation = store.broken
            store.watches += 1
            number = store.watches
            if since == 0:
                since = store.revision
                pending = [("ADDED", o) for o in store.objects[resource].values()]
            elif since < store.oldest:
                pending = [("ERROR", Failure(410, "Expired", f"too old resource version: {since}").status)]
            else:
                pending = []
        self.close_connection = True
        bookmark = time.monotonic() + self.server.bookmarks
        while store.broken == generation and time.monotonic() < deadline:
            for kind, obj in pending:
                if selected(obj, selector) or kind == "ERROR":
                    self.chunk({"type": kind, "object": obj})
            with store.lock:
                pending = [(k, o) for r, res, k, o in store.events if r > since and res == resource]
                if not pending and store.broken == generation:
                    store.lock.wait(max(0.01, min(deadline, bookmark) - time.monotonic()))
                    pending = [(k, o) for r, res, k, o in store.events if r > since and res == resource]
                since = max(since, store.revision)  # one of the future hears of nothing until then
                if number <= store.silent:
                    pending = []
            if query.get("allowWatchBookmarks") and time.monotonic() >= bookmark and number > store.silent:
                bookmark = time.monotonic() + self.server.bookmarks
                pending.append(("BOOKMARK", {"kind": "Node", "apiVersion": "v1", "metadata": {
                    "resourceVersion": str(since), "creationTimestamp": None}, "spec": {}, "status": {}}))
        if store.broken == generation:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.connection.close()


class Control:
    """What tests may tell the server, a method for each word."""

    def __init__(self, server):
        self.server, self.store = server, server.store

    def node(self, name, *cidrs):
        spec = {"podCIDR": cidrs[0], "podCIDRs": list(cidrs)} if cidrs else {}
        if name in self.store.objects["nodes"]:
            self.store.change("nodes", name, "MODIFIED", dict(self.store.objects["nodes"][name], spec=spec))
            return
        self.store.create("nodes", {
            "metadata": {"name": name, "annotations": {"node.alpha.kubernetes.io/ttl": "0"}}, "spec": spec,
            "status": {"conditions": [
                {"type": "NetworkUnavailable", "status": "True", "reason": "NoRouteCreated", "message": "no route"},
                {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is ready"}]}})

    def pod(self, namespace, name, node):
        self.store.create("pods", {"metadata": {"name": name, "namespace": namespace}, "spec": {"nodeName": node}})

    def annotate(self, name, *words):
        changes = {w[:-1]: None for w in words if w.endswith("-") and "=" not in w}
        changes.update(w.split("=", 1) for w in words if "=" in w)
        self.store.patch("nodes", name, {"metadata": {"annotations": changes}}, False, False)

    def put(self, text):
        self.store.put(json.loads(text))

    def drop(self, kind, key):
        resource = next(r for r, name in KINDS.items() if name == kind)
        self.store.change(resource, key, "DELETED", self.store.find(resource, key))

    def crd(self, word):
        self.store.crd = word == "on"
        if not self.store.crd:
            self.store.objects["clusternetworkpolicies"].clear()
            self.cut()

    def get(self, name):
        return json.dumps(self.store.find("nodes", name))

    def delete(self, name):
        self.store.change("nodes", name, "DELETED", self.store.find("nodes", name))

    def fill(self, n, *_):
        for i in range(int(n)):
            a, b, mac = i >> 8, i & 255, f"02:00:00:00:{i >> 8:02x}:{i & 255:02x}"
            flannel = "flannel.alpha.coreos.com/"
            self.store.create("nodes", {
                "metadata": {"name": f"many{i}", "annotations": {
                    flannel + "kube-subnet-manager": "true", flannel + "backend-type": "vxlan",
                    flannel + "backend-data": json.dumps({"VNI": 1, "VtepMAC": mac}),
                    flannel + "public-ip": f"198.18.{a}.{b}"}},
                "spec": {"podCIDR": f"10.{100 + a}.{b}.0/24", "podCIDRs": [f"10.{100 + a}.{b}.0/24"]},
                "status": {"images": [{"names": ["registry.example/" + "x" * 120], "sizeBytes": k} for k in range(50)]}})

    def cut(self):
        self.store.broken += 1
        self.store.lock.notify_all()

    def hang(self):
        self.store.silent = self.store.watches

    def expire(self):
        self.store.revision += 1
        self.store.oldest = self.store.revision
        self.store.snapshots.clear()
        self.store.events.clear()

    def deny(self, verb, resource):
        self.server.denied.add((verb, resource))

    def allow(self):
        self.server.denied.clear()

    def tokens(self, tokens):
        self.server.tokens = set(tokens.split(","))

    def log(self):
        log, self.server.log = self.server.log, []
        return "\n".join(log)

    def serve(self, address):
        with socket.create_server(address, family=self.server.address_family) as listener:
            while True:
                client, _ = listener.accept()
                with client, client.makefile("rw") as file:
                    word, *rest = file.readline().rstrip("\n").split("\t")
                    try:
                        with self.store.lock:
                            answer = getattr(self, word)(*rest) or ""
                        file.write(f"ok\n{answer}\n" if answer else "ok\n")
                    except Exception as error:  # a test's mistake is the test's to see
                        file.write(f"{word}: {error!r}\n")


def main(argv):
    if len(argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    server = Server((argv[0], int(argv[1])), dict(word.split("=", 1) for word in argv[2:]))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        Control(server).serve((argv[0], int(argv[1]) + 1))
    finally:
        server.store.save()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
