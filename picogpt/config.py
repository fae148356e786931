"""GPT-2's sizes, and the name and shape of every parameter and activation.

A parameter's path is its place in the tree of parameters: "h.3.attn.c_attn.w" is
`params["h"][3]["attn"]["c_attn"]["w"]`. The names are those of OpenAI's checkpoint.
An activation's path says in the same way where in the forward pass it is computed. Under this
name a tap sees it (see tap.py).
"""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Config:
    """The five numbers of hparams.json, under its names.

    Raises ValueError if one is not a positive integer or n_head does not divide n_embd.
    """

    n_vocab: int  # tokens in the vocabulary
    n_ctx: int  # positions: the longest sequence the model can see
    n_embd: int  # width of the residual stream
    n_head: int  # attention heads in each block
    n_layer: int  # blocks

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is not int or value < 1:
                raise ValueError(f"{field.name} is {value!r}, expected a positive integer")
        if self.n_embd % self.n_head:
            raise ValueError(f"n_head {self.n_head} does not divide n_embd {self.n_embd}")

    @property
    def n_head_dim(self) -> int:
        """Width of one attention head."""
        return self.n_embd // self.n_head


# The released models (Radford et al. 2019, Table 2, with the sizes as later corrected by OpenAI).
SIZES = {
    "124M": Config(n_vocab=50257, n_ctx=1024, n_embd=768, n_head=12, n_layer=12),
    "355M": Config(n_vocab=50257, n_ctx=1024, n_embd=1024, n_head=16, n_layer=24),
    "774M": Config(n_vocab=50257, n_ctx=1024, n_embd=1280, n_head=20, n_layer=36),
    "1558M": Config(n_vocab=50257, n_ctx=1024, n_embd=1600, n_head=25, n_layer=48),
}


def param_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Path -> shape of every parameter. Matrices are stored [n_in, n_out].

    The MLP has 4 n_embd neurons, as all of OpenAI's models have; in others' see the weights.
    """
    n_embd = config.n_embd
    block = {
        "ln_1.g": (n_embd,),
        "ln_1.b": (n_embd,),
        "attn.c_attn.w": (n_embd, 3 * n_embd),  # queries, keys and values side by side
        "attn.c_attn.b": (3 * n_embd,),
        "attn.c_proj.w": (n_embd, n_embd),
        "attn.c_proj.b": (n_embd,),
        "ln_2.g": (n_embd,),
        "ln_2.b": (n_embd,),
        "mlp.c_fc.w": (n_embd, 4 * n_embd),
        "mlp.c_fc.b": (4 * n_embd,),
        "mlp.c_proj.w": (4 * n_embd, n_embd),
        "mlp.c_proj.b": (n_embd,),
    }
    shapes: dict[str, tuple[int, ...]]
    shapes = {"wte": (config.n_vocab, n_embd), "wpe": (config.n_ctx, n_embd)}
    for i in range(config.n_layer):
        shapes |= {f"h.{i}.{name}": shape for name, shape in block.items()}
    return shapes | {"ln_f.g": (n_embd,), "ln_f.b": (n_embd,)}


def activation_shapes(
    config: Config, n_seq: int, n_past: int = 0, batch: tuple[int, ...] = ()
) -> dict[str, tuple[int, ...]]:
    """Path -> shape of every activation, in the order in which they are computed.

    batch: the leading dimensions of the ids; n_past: positions already in the KV cache.
    """
    n_embd, n_head, n_head_dim = config.n_embd, config.n_head, config.n_head_dim
    stream = (*batch, n_seq, n_embd)  # the residual stream and all that is added to it
    head = (*batch, n_head, n_seq, n_head_dim)
    square = (*batch, n_head, n_seq, n_past + n_seq)  # one row per query, one column per key
    block = {
        "ln_1": stream,
        "attn.c_attn": (*batch, n_seq, 3 * n_embd),
        "attn.q": head,
        "attn.k": head,
        "attn.v": head,
        "attn.scores": square,  # scaled and masked, before the softmax
        "attn.weights": square,  # after the softmax: every row sums to 1
        "attn.heads": head,  # the weighted mean of the values
        "attn.merged": stream,  # the heads side by side again
        "attn.c_proj": stream,
        "resid_mid": stream,  # the residual stream after attention
        "ln_2": stream,
        "mlp.c_fc": (*batch, n_seq, 4 * n_embd),
        "mlp.gelu": (*batch, n_seq, 4 * n_embd),
        "mlp.c_proj": stream,
        "resid": stream,  # the residual stream after the block
    }
    shapes = {"wte": stream, "wpe": (n_seq, n_embd), "embed": stream}
    for i in range(config.n_layer):
        shapes |= {f"h.{i}.{name}": shape for name, shape in block.items()}
    return shapes | {"ln_f": stream, "logits": (*batch, n_seq, config.n_vocab)}


def activation_names(n_layer: int) -> list[str]:
    """The names of all activations of a model with n_layer blocks, in the order of computation."""
    sizes = Config(n_vocab=1, n_ctx=1, n_embd=1, n_head=1, n_layer=n_layer)
    return list(activation_shapes(sizes, n_seq=1))


def flatten(params, path: str = "") -> dict:
    """The tree of parameters as one dict, path -> array.

    An activation function in it (see model.multilayer_perceptron) is no parameter, and left out.
    """
    if callable(params):
        return {}
    if not isinstance(params, (dict, list)):
        return {path: params}
    branches = params.items() if isinstance(params, dict) else enumerate(params)
    flat: dict = {}
    for key, branch in branches:
        flat |= flatten(branch, f"{path}.{key}" if path else str(key))
    return flat


def unflatten(flat: dict) -> dict:
    """The inverse of flatten: a path's number, as in "h.3", is a place in a list."""
    tree: dict = {}
    for path, value in flat.items():
        *parents, leaf = path.split(".")
        branch = tree
        for key in parents:
            branch = branch.setdefault(key, {})
        branch[leaf] = value
    if "h" in tree:
        tree["h"] = [tree["h"][str(i)] for i in range(len(tree["h"]))]
    return tree
