"""nanoGPT's checkpoint: ckpt.pt, in a folder with the vocabulary that it was trained with.

The sizes are in its model_args. Its matrices are those of torch.nn.Linear, [n_out, n_in]. A model
that was trained with bias=False has no biases; here they are zeros.

Source: karpathy/nanoGPT, model.py and train.py.
"""

from pathlib import Path

import numpy as np

from ..config import Config, param_shapes, unflatten
from .compact import compact
from .errors import CheckpointError, about
from .huggingface import huggingface_name

# Our name of a size -> nanoGPT's.
SIZE_NAMES = {
    "n_vocab": "vocab_size",
    "n_ctx": "block_size",
    "n_embd": "n_embd",
    "n_head": "n_head",
    "n_layer": "n_layer",
}


def read_nanogpt(folder: Path, dtype: str | None = None) -> tuple[Config, dict]:
    """The sizes and the tree of parameters (config.py) in a folder with nanoGPT's ckpt.pt.

    dtype: how matrices are kept, see compact.py.
    Raises FileNotFoundError; CheckpointError if the file is damaged or holds something else.
    """
    from .pytorch import read_pytorch, state_dict  # here, so that `import picogpt` stays quick

    path = Path(folder) / "ckpt.pt"
    found, read = read_pytorch(path)
    with about(path):
        if type(found) is not dict or type(found.get("model_args")) is not dict:
            raise CheckpointError("it has no model_args: not a checkpoint of nanoGPT")
        sizes = {ours: found["model_args"].get(theirs) for ours, theirs in SIZE_NAMES.items()}
        config = Config(**sizes)
        tensors = state_dict(found.get("model"))
        flat = {}
        for parameter, shape in param_shapes(config).items():
            name = huggingface_name(parameter)
            if name not in tensors and parameter.endswith(".b"):
                flat[parameter] = np.zeros(shape, np.float32)
                continue
            if name not in tensors:
                raise CheckpointError(f"tensor {name} is missing")
            stored = tensors[name].shape
            if stored != (shape[::-1] if parameter.endswith(".w") else shape):
                raise CheckpointError(f"{name} is {list(stored)}, which does not fit its sizes")
            with about(name):
                x = read(tensors[name])
            # in rows, because the products read it that way
            x = np.ascontiguousarray(x.T) if parameter.endswith(".w") else x
            flat[parameter] = compact(parameter, x, dtype)
    return config, unflatten(flat)
