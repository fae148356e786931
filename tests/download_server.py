"""A web server on loopback that serves files well, and any way badly that a test asks for."""

import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class DownloadServer(ThreadingHTTPServer):
    """Serves `files` (path -> bytes), with ranges. Use it in a with statement.

    answers: path -> functions (handler, body) that answer the next requests for it, one each.
    log: every request as (method, path, Range header or None).
    """

    daemon_threads = True
    answers_heads = False  # as GET, without the body; else HEAD is 200 whatever it asks for

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.answers = defaultdict(list)
        self.log = []
        self.closing = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.shutdown()
        self.server_close()

    def got(self, name: str) -> list[str | None]:
        """The Range headers of the GET requests for a file of this name."""
        return [r for method, path, r in self.log if method == "GET" and path.endswith("/" + name)]

    def handle_error(self, request, client_address):
        """A client that hangs up is no error here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # which holds back the body of each answer for 40 ms

    def do_HEAD(self):
        if self.server.answers_heads:
            self.do_GET()  # `send` leaves out the body
        else:
            self.note()
            send(self, 200)

    def do_GET(self):
        self.note()
        answers, body = self.server.answers[self.path], self.server.files.get(self.path)
        if answers:
            answers.pop(0)(self, body)
        elif body is None:
            send(self, 404)
        else:
            whole_or_range(self, body)

    def note(self):
        self.server.log.append((self.command, self.path, self.headers["Range"]))

    def log_message(self, *_):
        """Say nothing."""


def send(handler, status, body=b"", **headers):
    """An answer whose Content-Length is right unless it is given. Header names: _ for -."""
    handler.send_response(status)
    for name, value in ({"Content_Length": len(body)} | headers).items():
        handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


def first_byte(handler) -> int:
    """Where the range that was asked for begins."""
    return int((handler.headers["Range"] or "bytes=0-").removeprefix("bytes=").rstrip("-"))


def whole_or_range(handler, body, **headers):
    """What a good server does."""
    start = first_byte(handler)
    if not handler.headers["Range"]:
        send(handler, 200, body, **headers)
    elif start >= len(body):
        send(handler, 416, Content_Range=f"bytes */{len(body)}")
    else:
        span = f"bytes {start}-{len(body) - 1}/{len(body)}"
        send(handler, 206, body[start:], Content_Range=span, **headers)


def whole(handler, body):
    """A server that knows no ranges."""
    send(handler, 200, body)


def answer(status, body=b"", **headers):
    """Always this."""
    return lambda handler, _: send(handler, status, body, **headers)


def other(body):
    """A good server on which the file has been replaced."""
    return lambda handler, _: whole_or_range(handler, body)


def cut(n_bytes, serve=whole_or_range):
    """The connection breaks when the file is there up to this byte."""

    def break_off(handler, body):
        stop_at(handler, body, n_bytes, serve)
        handler.close_connection = True

    return break_off


def stall(n_bytes):
    """Silence when the file is there up to this byte."""

    def fall_silent(handler, body):
        stop_at(handler, body, n_bytes, whole_or_range)
        handler.server.closing.wait()

    return fall_silent


def stop_at(handler, body, n_bytes, serve):
    """Serve, but only up to this byte of the file."""
    stream, handler.wfile = handler.wfile, Recorder()
    serve(handler, body)
    head, _, rest = bytes(handler.wfile.written).partition(b"\r\n\r\n")
    start = len(body) - len(rest)
    handler.wfile = stream
    stream.write(head + b"\r\n\r\n" + rest[: max(0, n_bytes - start)])


class Recorder:
    """A stream that keeps what is written."""

    def __init__(self):
        self.written = bytearray()

    def write(self, data):
        self.written += data

    def flush(self):
        """Nothing is held back."""
