"""A small server that nobody here knows: it pushes messages to devices, and forgets them once they
are written to a socket. Prints its port; ends with its standard input."""

import asyncio
import json
import sys
from asyncio import StreamReader, StreamWriter

logs: dict[str, list[str]] = {}
boxes: dict[tuple[str, str], list[str]] = {}
sockets: dict[tuple[str, str], StreamWriter] = {}


async def serve(reader: StreamReader, writer: StreamWriter) -> None:
    _, account, name = (await reader.readline()).decode().split()
    device = account, name
    boxes.setdefault(device, list(logs.setdefault(account, [])))
    sockets[device] = writer
    writer.write(b"WELCOME\n")
    flush(device)
    try:
        while line := (await reader.readline()).decode():
            _, to, message = line.split(" ", 2)
            logs.setdefault(to, []).append(message)
            for other, box in boxes.items():
                if other[0] == to:
                    box.append(message)
                    flush(other)
            writer.write(b"OK\n")
    except ConnectionError:
        pass
    finally:
        if sockets.get(device) is writer:
            del sockets[device]
        writer.close()


def flush(device: tuple[str, str]) -> None:
    if device in sockets:
        for message in boxes[device]:
            sockets[device].write(b"MESSAGE " + message.encode())
        boxes[device].clear()  # as if what is written were received


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(json.dumps(server.sockets[0].getsockname()[1]), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
