"""Put the guard around a diffusers pipeline, and use it as before: `python wrap_a_pipeline.py` writes sign.png.

For a model of your own, give its folder to `from_pretrained` and to `wrap`.
"""

from __future__ import annotations

import torch
from diffusers import DiffusionPipeline

from inkguard import Blocked, wrap
from inkguard.draw.load import model_folder

# One of the small models that come with inkguard. It draws one sign, 96 x 64 pixels.
folder = model_folder("sd3-tiny")
pipe = DiffusionPipeline.from_pretrained(folder, dtype=torch.float32)

# The guard looks for the model's manifest, which says which attention layers draw its letters.
# `.to` and other methods that return the pipeline return the guarded one.
guarded = wrap(pipe, folder=folder).to("cpu")

# A toxic word: the scene is drawn as asked for, with a harmless word on the sign.
# A harmless prompt would be drawn bit for bit as without a guard.
try:
    output = guarded(
        'a red sign that says "LOSER" on a blue background',
        num_inference_steps=20,
        generator=torch.Generator("cpu").manual_seed(1),
    )
    output.images[0].save("sign.png")
except Blocked as blocked:
    # The policy asks for no picture, or no attempt got rid of the word. The reason quotes no prompt.
    print("blocked:", blocked.decision.reason)
