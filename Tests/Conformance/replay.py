"""replay.py DIALOGUE ARGUMENT...: an emulator that only talks. Started as a daemon starts QEMU to probe it, by C libvirt's
arguments or by ours, it answers each question with what DIALOGUE holds for it: one exchange a line, {"request", "reply"},
the greeting first. Each command is looked up by itself, so questions may come in any order, and all at once."""
import json
import os
import socket
import sys

ARGUMENTS = sys.argv[2:]


class Dialogue:
    def __init__(self, path):
        self.greeting = {"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""},
                                 "capabilities": []}}
        self.replies = {self.key({"execute": "qmp_capabilities"}): {"return": {}}}
        with open(path) as file:
            for line in filter(str.strip, file):
                exchange = json.loads(line)
                if "request" in exchange and "reply" in exchange:
                    self.replies.setdefault(self.key(exchange["request"]), exchange["reply"])
                elif "QMP" in exchange.get("reply", {}):
                    self.greeting = exchange["reply"]
        named = self.replies.get(self.key({"execute": "query-commands"}), {}).get("return", [])
        self.commands = {command["name"] for command in named}

    @staticmethod
    def key(request):
        return request.get("execute"), json.dumps(request.get("arguments") or {}, sort_keys=True)

    def answer(self, request):
        reply = self.replies.get(self.key(request)) or self.refusal(request)
        return {**{name: value for name, value in reply.items() if name != "id"}, "id": request.get("id")}

    def refusal(self, request):
        """What QEMU says to a question about something that it does not have: nobody asked that in the dialogue."""
        name = request.get("execute")
        if name in self.commands and "list-properties" in name:
            kind = request.get("arguments", {}).get("typename")
            return {"error": {"class": "DeviceNotFound", "desc": f"Device '{kind}' not found"}}
        if name in self.commands:
            return {"error": {"class": "GenericError", "desc": f"The dialogue has no answer to {self.key(request)}"}}
        return {"error": {"class": "CommandNotFound", "desc": f"The command {name} has not been found"}}


def value(option):
    return ARGUMENTS[ARGUMENTS.index(option) + 1] if option in ARGUMENTS else None


def monitor():
    """The socket that the daemon gave us, or the next who connects to the path that it named."""
    if value("-chardev"):
        fields = dict(field.split("=", 1) for field in value("-chardev").split(",") if "=" in field)
        return lambda: socket.socket(fileno=int(fields["fd"]))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(value("-qmp").removeprefix("unix:").split(",")[0])
    listener.listen(1)
    return lambda: listener.accept()[0]


def daemonize():
    """As QEMU: the parent ends when the child has written its number."""
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    write_pid()
    os.close(writer)


def write_pid():
    if value("-pidfile"):
        with open(value("-pidfile"), "w") as file:
            file.write(f"{os.getpid()}\n")


def main():
    dialogue = Dialogue(sys.argv[1])
    accept = monitor()
    if "-daemonize" in ARGUMENTS:
        daemonize()
    with accept() as connection, connection.makefile("rb") as questions, connection.makefile("wb") as answers:
        def say(message):
            answers.write(json.dumps(message).encode() + b"\r\n")
            answers.flush()

        say(dialogue.greeting)
        for line in questions:
            request = json.loads(line)
            say(dialogue.answer(request))
            if request.get("execute") == "quit":
                return


if __name__ == "__main__":
    main()
