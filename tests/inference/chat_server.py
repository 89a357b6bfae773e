"""A small real HTTP server on loopback that speaks chat completions and misbehaves as told."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx


@dataclass
class ChatServer:
    """What the server did; ``script`` says what happens to the tries of each study, one after another."""

    script: Mapping[str, Sequence[str]]
    url: str = ""
    key: str | None = None
    upstream: str | None = None
    """A real server that answers where the script says "ok"."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    delay: float = 0.0
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    tries: dict[str, int] = field(default_factory=dict)

    def action(self, study: str) -> str:
        with self.lock:
            number = self.tries.get(study, 0)
            self.tries[study] = number + 1
        actions = self.script.get(study, self.script.get("*", ["ok"]))
        return actions[min(number, len(actions) - 1)]


def completion(text: str, tokens_in: int = 50, tokens_out: int = 10) -> bytes:
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return json.dumps({"model": "served@main", "choices": choices, "usage": usage}).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    chat: ChatServer

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the tests' output clean."""

    def _send(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        chat = self.chat
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with chat.lock:
            chat.requests.append(body)
            chat.times.append(time.monotonic())
            chat.at_once += 1
            chat.most_at_once = max(chat.most_at_once, chat.at_once)
        try:
            self._act(chat, body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with chat.lock:
                chat.at_once -= 1

    def _act(self, chat: ChatServer, body: Mapping[str, Any]) -> None:
        content = body["messages"][-1]["content"]
        text = content if isinstance(content, str) else content[-1]["text"]
        found = re.search(r"病例(\d+)", text)
        study = f"study-{int(found[1]):03d}" if found else "?"
        action = chat.action(study)
        chat.over.wait(chat.delay)
        if chat.key is not None and self.headers.get("Authorization") != f"Bearer {chat.key}":
            said = {"error": {"message": f"wrong key: {self.headers.get('Authorization')}"}}
            self._send(401, json.dumps(said).encode())
        elif action == "ok" and chat.upstream:
            answer = httpx.post(f"{chat.upstream}/chat/completions", json=body, timeout=60)
            self._send(answer.status_code, answer.content)
        elif action == "ok":
            self._send(200, completion(f"{study}：肝脏FDG摄取增高"))
        elif action.isdigit():
            self._send(int(action), b'{"error": {"message": "scripted"}}')
        elif action == "429-after":
            self._send(429, b"slow down", Retry_After="0.3")
        elif action == "echo-key":
            self._send(500, f"you sent {self.headers.get('Authorization')}".encode())
        elif action == "hang":
            chat.over.wait(30)
            self.close_connection = True
        elif action == "trickle":
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            while not chat.over.wait(0.05):
                self.wfile.write(b" ")
                self.wfile.flush()
            self.close_connection = True
        elif action == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"choices": [')
            self.close_connection = True
        elif action == "drop":
            self.close_connection = True
        else:
            odd = {
                "garbled": b'{"choices": [{"mess',
                "html": b"<html>gateway</html>",
                "no-choice": b'{"choices": []}',
                "list": b"[1, 2]",
                "null": b'{"choices": [{"message": {"content": null, "refusal": "I cannot."}}]}',
                "parts": b'{"choices": [{"message": {"content": [{"text": "A"}, {"text": "B"}]}}]}',
            }
            self._send(200, odd[action])


@contextmanager
def chat_server(script: Mapping[str, Sequence[str]], **settings: Any) -> Iterator[ChatServer]:
    """A running server; ended with the block, hanging requests too."""
    chat = ChatServer(script, **settings)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"chat": chat}))
    server.daemon_threads = True
    chat.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield chat
    finally:
        chat.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
