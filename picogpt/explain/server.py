"""The page with a field for the prompt, at an address that only this machine can reach.

Each prompt is computed and answered with a whole page. Nothing else is served: no files, and no
request for another host name, with which a page from elsewhere could read this one (DNS rebinding).
"""

import html
import webbrowser
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from ..command import say
from ..lens.editing import ablate_heads
from ..tap import edit, no_tap
from .assembly import assemble
from .trace import MAX_TOKENS, trace

LONGEST_PROMPT = 2000  # characters


def serve(model, prompt: str, max_new_tokens: int, port: int, show: bool = False) -> None:
    """Answer until Ctrl-C. port: 0 takes a free one. Raises OSError if the port is taken."""
    try:
        server = make_server(model, prompt, max_new_tokens, port)
    except OSError as error:
        raise OSError(f"port {port}: {error.strerror}; choose another with --port N") from None
    with server:
        address = f"http://127.0.0.1:{server.server_port}/"
        say(f"the page is at {address} (Ctrl-C ends it)")
        if show:
            webbrowser.open(address)
        server.serve_forever()


def make_server(model, prompt: str, max_new_tokens: int, port: int = 0) -> HTTPServer:
    """A server on 127.0.0.1 that does not answer yet."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # seconds, for a client that says nothing
        server_version, sys_version = "picogpt", ""

        def do_GET(self):
            port = self.server.server_port
            if self.headers.get("Host") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
                return self.answer(403, "This server answers only to its own address.")
            url = urlsplit(self.path)
            if url.path != "/":
                return self.answer(404, "There is only one page here.")
            try:
                self.answer(200, page(model, asked(url.query, prompt, max_new_tokens)))
            except ValueError as error:
                self.answer(400, f"{form_page(prompt, max_new_tokens, '', str(error))}")

        def answer(self, status: int, text: str) -> None:
            body = text.encode("utf-8", "replace")
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return HTTPServer(("127.0.0.1", port), Handler)


def asked(query: str, prompt: str, max_new_tokens: int) -> tuple[str, int, str]:
    """The prompt, the number of tokens and the heads to silence that a query asks for.

    Raises ValueError for a prompt that is too long, or for what is not a number.
    """
    fields = parse_qs(query, keep_blank_values=True, max_num_fields=3)
    prompt = fields.get("prompt", [prompt])[0].replace("\r\n", "\n")
    if len(prompt) > LONGEST_PROMPT:
        raise ValueError(
            f"the prompt has {len(prompt)} characters, expected at most {LONGEST_PROMPT}"
        )
    n = fields.get("n", [str(max_new_tokens)])[0]
    if not (n.isascii() and n.isdecimal() and len(n) < 4):
        raise ValueError(f"the number of tokens is {n!r:.80}, expected 0 to {MAX_TOKENS}")
    return prompt, int(n), fields.get("silence", [""])[0]


def page(model, question: tuple[str, int, str]) -> str:
    """The whole page for what was asked. Raises ValueError for heads that do not exist."""
    prompt, n, silence = question
    heads = [parse_head(part) for part in silence.split()]
    tap = edit(ablate_heads(heads, model.config)) if heads else no_tap
    ids = model.prompt_ids(prompt)
    traced = trace(ids, n, model.config, model.params, model.tokenizer, tap=tap)
    return assemble(traced, form(prompt, n, silence))


def parse_head(text: str) -> tuple[int, int]:
    """ "3.7" -> (3, 7), block and head. Raises ValueError for anything else."""
    block, _, head = text.partition(".")
    if not all(x.isascii() and x.isdecimal() and len(x) < 4 for x in (block, head)):
        raise ValueError(f"a head to silence is {text!r:.80}, expected block.head, such as 3.7")
    return int(block), int(head)


def form(prompt: str, n: int, silence: str, error: str = "") -> str:
    """The field for the prompt, as HTML."""
    said = f'<p class="error" role="alert">{html.escape(error)}</p>' if error else ""
    return f"""{said}<form action="/">
<label>Prompt<br><textarea name="prompt" rows="2" maxlength="{LONGEST_PROMPT}">
{html.escape(prompt)}</textarea></label>
<label>Tokens to write<br><input name="n" type="number" min="0" max="{MAX_TOKENS}" value="{n}"></label>
<label>Heads to silence, such as 3.7<br><input name="silence" value="{html.escape(silence)}"></label>
<button>Compute</button></form>"""


def form_page(prompt: str, n: int, silence: str, error: str) -> str:
    """The form alone, after a question that cannot be answered."""
    title = "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>picogpt</title><main>"
    return f"{title}<h1>What GPT-2 computes</h1>{form(prompt, n, silence, error)}</main></html>"
