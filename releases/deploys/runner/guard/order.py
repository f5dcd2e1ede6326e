"""What a worker orders from the guardian of a command, and its way through a socket."""

from __future__ import annotations


class Order:
    """One command with its limits; times in seconds, sizes in bytes, 0 for no limit."""

    __slots__ = ("command", "cpu", "env", "folder", "grace", "left_grace", "max_size", "measured", "timeout")

    def __init__(
        self, command: str, folder: str, measured: str, env: dict[str, str], *, timeout: float, cpu: float,
        max_size: int, grace: float, left_grace: float,
    ) -> None:  # fmt: skip
        """`measured`: the folder whose size counts.

        `grace`: between asking to end and ending by force; `left_grace`: the same for what a command that ended left
        behind.
        """
        self.command, self.folder, self.measured, self.env = command, folder, measured, env
        self.timeout, self.cpu, self.max_size = timeout, cpu, max_size
        self.grace, self.left_grace = grace, left_grace

    def packed(self) -> bytes:
        """For the socket: a length, then fields between zero bytes. Raises ValueError when one holds a zero byte."""
        numbers = (self.timeout, self.cpu, self.max_size, self.grace, self.left_grace)
        fields = [self.command, self.folder, self.measured, *(str(number) for number in numbers)]
        fields += [f"{name}={value}" for name, value in self.env.items()]
        if any("\0" in field for field in fields):
            raise ValueError("a command, folder or variable holds a NUL byte")
        body = "\0".join(fields).encode("utf-8", "surrogateescape")
        return b"%d\n%b" % (len(body), body)

    @classmethod
    def unpacked(cls, body: bytes) -> Order:
        """The other way round."""
        fields = body.decode("utf-8", "surrogateescape").split("\0")
        command, folder, measured, timeout, cpu, max_size, grace, left_grace = fields[:8]
        return cls(
            command, folder, measured, dict(field.split("=", 1) for field in fields[8:]), timeout=float(timeout),
            cpu=float(cpu), max_size=int(max_size), grace=float(grace), left_grace=float(left_grace),
        )  # fmt: skip
