"""Files of weights: fetched, read, checked, turned into the tree of parameters.

To read in this order: find.py; model_folder.py; OpenAI's layout: openai.py, tf_bundle.py,
tf_messages.py, sstable.py, crc32c.py; Hugging Face's: huggingface.py, config_json.py, activation_functions.py,
safetensors.py, pytorch.py, unpickle.py; nanogpt.py; compact.py; export.py; then what fetches
models: released.py, download.py, transfer.py, hub.py, hub_cache.py.
"""

from .errors import CheckpointError
from .transfer import DownloadError, Unreachable

__all__ = ["CheckpointError", "DownloadError", "Unreachable"]
