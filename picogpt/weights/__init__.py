"""Files of weights: fetching, reading and checking them, up to the tree of parameters.

To read in this order:

find.py, a model by its name; model_folder.py, the layouts that a folder can have.
openai.py, OpenAI's layout; tf_bundle.py, TensorFlow's checkpoints: tf_messages.py, their messages,
    sstable.py, their index (and its varints), crc32c.py, their checksums.
huggingface.py, Hugging Face's layout: config_json.py, activation_functions.py, safetensors.py;
    pytorch.py, files of torch.save, and unpickle.py.
nanogpt.py, nanoGPT's checkpoints; shapes.py, what all layouts check; errors.py.
compact.py, float16, bfloat16 and int8; layout.py, the order of small models in memory; export.py,
    writing a folder.
released.py, OpenAI's files; download.py, fetching them; transfer.py, one file over HTTP, and
    progress.py, what the user sees meanwhile.
hub.py, models of the Hub; hub_cache.py, where they are kept; home.py and kept.py, what is on the
    disk.
"""

from .errors import CheckpointError, DownloadError, Unreachable

__all__ = ["CheckpointError", "DownloadError", "Unreachable"]
