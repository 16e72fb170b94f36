"""A forward proxy on a free loopback port: passes plain requests on, tunnels by CONNECT, and remembers what came."""

import http.client
import http.server
import socket
import threading
import urllib.parse

from tests.support.tls_front import relay


class ForwardProxy:
    """Where a host's name leads is in `hosts` ("registry.acme.test:80" -> "127.0.0.1:5000"); others are refused with 502. Use start()
    and stop(). `plain` and `tunnels` are what was asked for ("GET http://..." and "HOST:PORT"), `heads` all header fields."""

    def __init__(self, hosts):
        self.hosts = hosts
        self.plain = []
        self.tunnels = []
        self.heads = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_CONNECT(self):
                owner.tunnels.append(self.path)
                owner.heads.append(str(self.headers))
                target = owner.hosts.get(self.path)
                if target is None:
                    self.send_error(502)
                    return
                host, port = target.rsplit(":", 1)
                other = socket.create_connection((host, int(port)))
                self.send_response(200)
                self.end_headers()
                relay(self.connection, other)
                self.close_connection = True

            def _pass_on(self):
                owner.plain.append(f"{self.command} {self.path}")
                owner.heads.append(str(self.headers))
                url = urllib.parse.urlsplit(self.path)
                target = owner.hosts.get(f"{url.hostname}:{url.port or 80}")
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if target is None:
                    self.send_error(502)
                    return
                connection = http.client.HTTPConnection(target, timeout=30)
                fields = {key: value for key, value in self.headers.items() if not key.lower().startswith("proxy-")}
                connection.request(self.command, url.path + (f"?{url.query}" if url.query else ""), body, fields)
                answer = connection.getresponse()
                data = answer.read()
                self.send_response(answer.status)
                for key, value in answer.getheaders():
                    if key.lower() not in ("connection", "transfer-encoding", "content-length"):
                        self.send_header(key, value)
                length = answer.headers.get("Content-Length") if self.command == "HEAD" else len(data)
                if length is not None and answer.status != 204:
                    self.send_header("Content-Length", str(length))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)
                connection.close()

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
