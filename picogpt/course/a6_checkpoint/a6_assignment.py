"""Assignment 6: reading the TensorFlow checkpoint, and what is often written instead."""

import re
from pathlib import Path

import numpy as np

from ...config import Config, unflatten
from ...weights.crc32c import mask
from ...weights.openai import openai_shapes
from ...weights.sstable import (
    Handle,
    block_entries,
    read_block,
    read_footer,
    read_handle,
    read_table,
    read_varint,
)
from ..assignment import Assignment, normal, question, together
from .a6_1_bytes import crc_values, handle_values, mask_values, varint_refuses, varint_values
from .a6_2_blocks import block_refuses, block_values, footer_values, with_bit_changed
from .a6_3_table import entries_refuse, entries_values, table_values
from .a6_4_messages import entry_values, message_refuses, message_values
from .a6_5_tensors import tensor_is_a_view, tensor_refuses, tensor_values
from .a6_reference import (
    crc32c,
    parameter_tree,
    read_bundle,
    read_entry,
    read_message,
    read_tensor,
)
from .a6_writer import PARTS, bundle, names_with_umlauts, random_tensor, stored, table


def header_not_left_out(index, data):
    """Under the empty key stands a header, and no tensor."""
    return {
        key.decode(): read_tensor(read_entry(value), data)
        for key, value in read_table(index).items()
    }


def names_as_bytes(index, data):
    """Names are texts: bytes.decode makes them of the keys."""
    table = read_table(index).items()
    return {key: read_tensor(read_entry(value), data) for key, value in table if key}


def entries_instead_of_tensors(index, data):
    """What is wanted are the tensors, and not what the index says about them."""
    return {key.decode(): read_entry(x) for key, x in read_table(index).items() if key}


BUNDLE_MISTAKES = (header_not_left_out, names_as_bytes, entries_instead_of_tensors)


def lie_in_the_data(index, data):
    lie_in = np.frombuffer(data, np.uint8)
    return {name: np.shares_memory(x, lie_in) for name, x in read_bundle(index, data).items()}


def ask_for_bundles(ask, rng, lie_in_the_data):
    for n, n_per_block in ((3, 16), (5, 2)):
        names = names_with_umlauts(rng, n)
        tensors = {name: stored(random_tensor(rng, int(rng.integers(3)))) for name in names}
        index, shards = bundle(tensors, n_per_block)
        ask(ask.function, index, *shards)
    ask(lie_in_the_data, index, *shards)
    entries = [(key, value) for key, value in read_table(index).items() if key]
    ask(ask.function, table(entries, 2), *shards)  # no header
    ask.refuses(ask.function, table([*entries[:-1], (b"\xff", entries[-1][1])], 2), *shards)
    # In the last of the tensors there is a wrong bit; in the index
    ask.refuses(ask.function, index, with_bit_changed(*shards, len(*shards) - 1))
    ask.refuses(ask.function, with_bit_changed(index, len(index) - 60), *shards)


@question(read_bundle, 1, BUNDLE_MISTAKES)
def bundle_values(ask, rng):
    """All tensors by their names, if none is damaged"""
    ask_for_bundles(ask, rng, lie_in_the_data)


def tree_of(tensors, path_of, in_tree=lambda path, x: x[0] if path.endswith(".w") else x):
    """parameter_tree with other paths, or other arrays.

    path_of(name without "model/") -> path, as config.unflatten takes it.
    """
    paths = {path_of(name.removeprefix("model/")): x for name, x in tensors.items()}
    return unflatten({path: in_tree(path, x) for path, x in paths.items()})


def path_in_tree(name):
    return re.sub(r"^h(?=\d)", "h/", name).replace("/", ".")


def in_order_of_names(tensors):
    """The names are sorted as texts, where h10 comes before h2: the number says where in the list
    a block belongs."""
    blocks = sorted({name.split("/")[1] for name in tensors if re.match(r"model/h\d", name)})

    def path_of(name):
        block, _, rest = name.partition("/")
        path = f"h/{blocks.index(block)}/{rest}" if block in blocks else name
        return path.replace("/", ".")

    return tree_of(tensors, path_of)


def blocks_by_name(tensors):
    """The blocks belong into a list under "h": "h3" is tree["h"][3]."""
    return tree_of(tensors, lambda name: name.replace("/", "."))


def blocks_in_a_dict(tensors):
    """The blocks under "h" are a list, and not a dict by their numbers."""
    tree = parameter_tree(tensors)
    return tree | {"h": dict(enumerate(tree["h"]))}


def model_kept(tensors):
    """ "model" is in front of every name, and no part of the tree."""
    return {"model": parameter_tree(tensors)}


def first_axis_kept(tensors):
    """The matrices "w" are [1, n_in, n_out] in the checkpoint: the axis of size 1 has to go."""
    return tree_of(tensors, path_in_tree, lambda path, x: x)


def squeezed(tensors):
    """np.squeeze drops every axis of size 1: only the first axis of the matrices "w" has to go."""
    return tree_of(tensors, path_in_tree, lambda path, x: x.squeeze())


def transposed(tensors):
    """OpenAI's matrices are [n_in, n_out] as they are: no transpose."""
    return tree_of(tensors, path_in_tree, lambda path, x: x[0].T if path.endswith(".w") else x)


def not_nested(tensors):
    """The tree has a dict for each part of a name: "attn/c_attn/w" is ["attn"]["c_attn"]["w"]."""
    return {path_in_tree(name.removeprefix("model/")): x for name, x in tensors.items()}


TREE_MISTAKES = (
    *(in_order_of_names, blocks_by_name, blocks_in_a_dict, model_kept, first_axis_kept),
    *(squeezed, transposed, not_nested),
)


def lie_where_they_lay(tensors):
    tree = parameter_tree(tensors)
    w = tree["h"][0]["attn"]["c_attn"]["w"]
    return {
        "wte": np.shares_memory(tree["wte"], tensors["model/wte"]),
        "w": np.shares_memory(w, tensors["model/h0/attn/c_attn/w"]),
    }


@question(parameter_tree, 2, TREE_MISTAKES)
def tree_values(ask, rng):
    """Blocks in their order, matrices of two axes"""
    part = str(rng.choice([part for part in PARTS if part.endswith("/w")]))
    n_in, n_out = map(int, rng.permutation([2, 3]))
    tensors = {f"model/h{i}/{part}": normal(rng, (1, n_in, n_out)) for i in range(12)}
    # A vocabulary of one token: not every axis of size 1 has to go
    tensors |= {"model/wte": normal(rng, (1, n_in)), "model/ln_f/b": normal(rng, (n_in,))}
    for names in (sorted(tensors), rng.permutation([*tensors]).tolist()):
        ask(parameter_tree, {name: tensors[name] for name in names})
    # One block; matrices with an axis of size 1 to the left or to the right; more than 99 blocks
    thin = {f"model/h0/{part}": normal(rng, (1, 1, n_in)), "model/h0/ln_1/g": normal(rng, (1,))}
    thin["model/h0/mlp/raw"] = normal(rng, (1, n_in, n_out))  # whose name is not w
    ask(parameter_tree, thin | {"model/wpe": normal(rng, (n_in, 1))})
    few = {"model/h0/attn/c_attn/w": normal(rng, (1, n_in, n_out)), "model/wte": np.ones(n_in)}
    ask(lie_where_they_lay, few)
    ask(parameter_tree, {f"model/h{i}/ln_2/b": normal(rng, (1,)) for i in range(101)})


def random_checkpoint(rng):
    """The tensors of a very small GPT-2, by OpenAI's names."""
    config = Config(*rng.permutation(np.arange(3, 6))[:2].tolist(), n_embd=2, n_head=1, n_layer=2)
    shapes = openai_shapes(config)
    return {name: normal(rng, shape, np.float32) for name, shape in shapes.items()}


def whole_way(index, data):
    return parameter_tree(read_bundle(index, data))


@together(3)
def whole_checkpoint(ask, rng):
    """A whole checkpoint, from its bytes to the tree of parameters"""
    tensors = {name: stored(x) for name, x in random_checkpoint(rng).items()}
    index, shards = bundle(tensors, n_per_block=12)
    ask(whole_way, index, *shards)


A6 = Assignment(
    name="a6",
    hours=7,
    folder=Path(__file__).parent,
    title="reading the TensorFlow checkpoint",
    functions=(
        *(read_varint, crc32c, mask, read_handle, read_footer, read_block, block_entries),
        *(read_table, read_message, read_entry, read_tensor, read_bundle, parameter_tree),
    ),
    questions=(
        *(varint_values, varint_refuses, crc_values, mask_values, handle_values, footer_values),
        *(block_values, block_refuses, entries_values, entries_refuse, table_values),
        *(message_values, message_refuses, entry_values, tensor_values),
        *(tensor_is_a_view, tensor_refuses, bundle_values, tree_values, whole_checkpoint),
    ),
    given=(Handle,),
)
