"""A service that answers with its own name: started in no time, handed over as the real one is.

`python -m tests.handover_stub FOLDER PORT NAME LOOP [hold]`; with `hold` it receives the socket and then waits for a
line on its standard input before it accepts. `GET /0.5` is answered after half a second.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import uvicorn

from serving.giving_way import GivingWay
from serving.listening import succeed
from wms_ml.errors import DeploymentError


async def answer(scope: dict[str, Any], _: Any, send: Any) -> None:
    """Our name, after the seconds that the path asks for."""
    await asyncio.sleep(float(scope["path"][1:] or 0))
    name = sys.argv[3].encode()
    headers = [(b"content-length", str(len(name)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": name})


class Stub(GivingWay):
    """Says when it accepts."""

    async def startup(self, sockets: Any = None) -> None:
        """Accept, take over, say so."""
        await super().startup(sockets)
        sys.stdout.write("serving\n")
        sys.stdout.flush()


def main() -> None:
    """Serve until the next one has taken over."""
    handover = succeed(Path(sys.argv[1]), "127.0.0.1", int(sys.argv[2]))
    if sys.argv[5:]:
        sys.stdout.write("holding\n")
        sys.stdout.flush()
        sys.stdin.readline()
    loop: Any = sys.argv[4]
    config = uvicorn.Config(answer, loop=loop, log_level="warning", access_log=False, lifespan="off")
    Stub(config, handover).run(sockets=[handover.public])


if __name__ == "__main__":
    try:
        main()
    except DeploymentError as error:
        sys.exit(str(error))
