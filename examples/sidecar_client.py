"""Ask a running sidecar for a picture: `inkguard serve` in one terminal, `python sidecar_client.py` in another.

The server holds the models. This program needs `pip install inkguard` alone, without PyTorch.
"""

from __future__ import annotations

import sys
import time

from inkguard import GuardError, Request
from inkguard.client import Client, Progress

address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051"


def wait_until_it_serves(client: Client, seconds: float = 120) -> None:
    """A server that has just been started loads its models first, and refuses connections until then."""
    end = time.monotonic() + seconds
    while True:
        try:
            client.status()
        except GuardError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)
        else:
            return


def show(progress: Progress) -> None:
    """Called after every denoising step. An exception from here would cancel the picture on the server."""
    print(f"\rstep {progress.step} of {progress.steps}", end="", flush=True)


with Client(address) as client:
    wait_until_it_serves(client)

    # A check draws nothing and takes milliseconds.
    decision = client.check('a sign that says "LOSER"')
    print(decision.action, "instead:", decision.donor_prompt)

    # A blocked prompt is an answer, not an error. Errors of the server and the network are `GuardError`s.
    request = Request(prompt='a red sign that says "LOSER" on a blue background', seed=1)
    reply = client.generate(request, on_progress=show)
    print()
    if reply.blocked:
        print("blocked:", reply.decision.reason)
    else:
        reply.images[0].save("sign.png")
        print("sign.png, rung:", reply.rung, "verification:", reply.verification)
