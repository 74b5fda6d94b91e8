"""An HTTP server that does what a test wants: web.py PORT [CERT KEY [CLIENT_CA]]

/echo      method, headers that matter and body      /slow   nothing, for a long time
/port      the client's port: is a connection reused?  /close  reads, and closes without a word
/redirect  302 to /echo                               /big    more than anybody wants
/three     three lines, the last without its end
/lines     each word of the body on a line; "cut" ends the connection, "wait" takes long
"""
import http.server
import socket
import ssl
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()

    def reply(self, status, text, *headers):
        data = text.encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def lines(self, words):
        """Each in two pieces, with a while in between."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for word in words:
            if word == "cut":
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            for part in (word[:1], word[1:] + "\r\n"):
                self.wfile.write(f"{len(part):x}\r\n{part}\r\n".encode())
                self.wfile.flush()
                time.sleep(0.01)
            if word == "wait":
                time.sleep(30)
        self.wfile.write(b"0\r\n\r\n")

    def do_GET(self):
        path = self.path
        body = self.body()
        if path == "/lines":
            self.lines(body.split())
        elif path == "/slow":
            time.sleep(30)
        elif path == "/close":
            self.close_connection = True
        elif path == "/redirect":
            self.reply(302, "elsewhere", ("Location", "/echo"))
        elif path == "/big":
            self.send_response(200)
            self.end_headers()
            for _ in range(70):
                self.wfile.write(b"x" * (1 << 20))
            self.close_connection = True
        elif path == "/three":
            self.reply(200, "one\r\ntwo\nthree")
        elif path == "/port":
            self.reply(200, str(self.client_address[1]))
        else:
            words = [self.command, self.headers.get("Content-Type"), self.headers.get("Authorization"), body]
            self.reply(404 if path == "/missing" else 200, " ".join(str(w) for w in words))

    do_POST = do_GET


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
server.handle_error = lambda *_: None
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    if len(sys.argv) > 4:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(sys.argv[4])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
