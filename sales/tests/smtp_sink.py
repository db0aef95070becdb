"""A mail server of a few lines on a real socket: keeps what it is given, refuses on order."""

import socketserver
import threading
from dataclasses import dataclass, field
from email import message_from_bytes, policy


@dataclass
class Letter:
    sender: str
    recipients: list[str]
    data: bytes

    @property
    def message(self):
        return message_from_bytes(self.data, policy=policy.default)


@dataclass
class Orders:
    """Replies instead of the usual ones, by command; `drop_after_data`: hang up without one."""

    replies: dict[str, str] = field(default_factory=dict)
    drop_after_data: bool = False


class Sink(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Session)
        self.letters, self.orders = [], Orders()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def port(self):
        return self.server_address[1]

    def close(self):
        self.shutdown()
        self.server_close()
        self.thread.join(5)


class Session(socketserver.StreamRequestHandler):
    server: "Sink"

    def say(self, command, usual):
        self.wfile.write(self.server.orders.replies.get(command, usual).encode() + b"\r\n")

    def handle(self):
        self.say("HELLO", "220 sink")
        sender, recipients = "", []
        for line in self.rfile:
            command = line.decode().strip()
            verb = command[:4].upper()
            if verb == "MAIL":
                sender = command.partition(":")[2]
                self.say(verb, "250 ok")
            elif verb == "RCPT":
                recipients.append(command.partition(":")[2])
                self.say(verb, "250 ok")
            elif verb == "DATA":
                if not self.take(Letter(sender, recipients, b"")):
                    return
                recipients = []
            elif verb == "QUIT":
                self.say(verb, "221 bye")
                return
            else:
                self.say(verb, "250 sink")

    def take(self, letter):
        self.say("GO", "354 go on")
        if "GO" in self.server.orders.replies:
            return True
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            lines.append(line[1:] if line.startswith(b"..") else line)
        letter.data = b"".join(lines)
        if "END" not in self.server.orders.replies:
            self.server.letters.append(letter)
        if self.server.orders.drop_after_data:
            return False
        self.say("END", "250 kept")
        return True
