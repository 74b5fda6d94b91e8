"""Drive an engine of cnibox-store as a tool does (lib/lease/kv_remote.h): engine.py STORE OPTIONS WHAT [WORD ...]

OPTIONS are the place's, in JSON. WHAT:
  again COMMAND ...  what COMMAND changes arrives before a question, and is read together with its answer: a wait tells of it
"""
import json
import os
import socket
import struct
import subprocess
import sys
import time


class Store:
    def __init__(self, program, options):
        self.socket, theirs = socket.socketpair()
        place = os.memfd_create("options")
        os.write(place, options.encode())
        os.lseek(place, 0, os.SEEK_SET)
        words = [program, "kv", str(theirs.fileno()), str(place)]
        self.process = subprocess.Popen(words, pass_fds=[theirs.fileno(), place])
        theirs.close()

    def receive(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            assert piece, "the store's process has ended"
            data += piece
        return data

    def call(self, verb, **question):
        text = json.dumps({"verb": verb, **question}).encode()
        self.socket.sendall(struct.pack("!I", len(text)) + text)
        answer = json.loads(self.receive(struct.unpack("!I", self.receive(4))[0]))
        assert not answer.get("error"), answer["error"]
        return answer.get("result", 0)

    def wait(self, ms):
        return self.call("wait", timeoutMs=ms)

    def has_unread(self):
        """Does the kernel keep something for it that it has not read?"""
        mine = set()
        for fd in os.listdir(f"/proc/{self.process.pid}/fd"):
            mine.add(os.readlink(f"/proc/{self.process.pid}/fd/{fd}"))
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table][1:]
        return any(f"socket:[{row[9]}]" in mine and int(row[4].split(":")[1], 16) for row in rows)


def again(store, command):
    assert store.call("list", entry={"key": "subnets/"}) == 0
    while store.wait(300) == 1:
        pass
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not store.has_unread():
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.01)
    assert store.call("get", entry={"key": "config"}) == 0
    assert store.call("list", entry={"key": "subnets/"}) == 0
    return [store.wait(0), store.wait(0)]


def main():
    store = Store(sys.argv[1], sys.argv[2])
    assert sys.argv[3] == "again", "what?"
    print(*again(store, sys.argv[4:]))


main()
