"""An HTTP service that draws under guard.

`uvicorn fastapi_service:app`, then
`curl -o sign.png 'http://127.0.0.1:8000/draw?prompt=a+red+sign+that+says+"LOSER"'`.
"""

from __future__ import annotations

import io

from fastapi import FastAPI, HTTPException, Response

from inkguard import Guard, InvalidInput, Request

app = FastAPI()

# Loaded once, before the first request. `Guard` may be shared by threads; it draws one picture at a time.
guard = Guard.load("sd3-tiny")


# A plain `def`: FastAPI runs it in a thread, so that a picture does not hold up other requests.
@app.get("/draw", response_class=Response)
def draw(prompt: str, seed: int = 0, steps: int = 20) -> Response:
    """A PNG, or an error that says why there is none."""
    try:
        result = guard.generate(Request(prompt=prompt, seed=seed, steps=steps))
    except InvalidInput as error:
        raise HTTPException(422, str(error)) from None
    if result.image is None:
        # Tell the client that a rule was met, and not which word met it.
        raise HTTPException(451, {"reason": result.decision.reason})
    png = io.BytesIO()
    result.image.save(png, "PNG")
    headers = {
        "x-inkguard-action": str(result.decision.action),
        "x-inkguard-rung": str(result.rung),
    }
    return Response(png.getvalue(), media_type="image/png", headers=headers)
