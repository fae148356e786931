"""GPT-2 in NumPy, from OpenAI's checkpoint files to text, written to be read.

>>> import picogpt
>>> model = picogpt.load("124M")
>>> model.generate("Alan Turing theorized that computers would one day become")
"""

from .config import Config
from .gpt2 import GPT2, load

__version__ = "0.1.0"
__all__ = ["GPT2", "Config", "__version__", "load"]
