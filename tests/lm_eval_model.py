"""picogpt as a model of lm-evaluation-harness: its tasks and scores, our log-probabilities."""

from lm_eval.api.model import TemplateLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from picogpt.evaluate.request import cut_request
from picogpt.evaluate.results import run
from picogpt.gpt2 import GPT2


class PicoGPT(TemplateLM):
    """The harness cuts contexts and endings into ids; we say how likely the endings are."""

    backend = "causal"

    def __init__(self, model: GPT2):
        super().__init__()
        self.model = model

    @property
    def eot_token_id(self) -> int:
        return self.model.tokenizer.endoftext

    def tok_encode(self, string: str, **_) -> list[int]:
        return self.model.tokenizer.encode(string)

    def _loglikelihood_tokens(self, requests, disable_tqdm=False, **_):
        n_ctx = self.model.config.n_ctx
        items = [[cut_request(before + after, len(after), n_ctx)] for _, before, after in requests]
        results = run(items, self.model.params, self.model.config.n_head)
        return [(result["logprobs"][0], result["greedy"][0]) for result in results]

    def loglikelihood_rolling(self, requests, disable_tqdm=False) -> list[float]:
        return [self._rolling(*request.args) for request in requests]

    def _rolling(self, text: str) -> float:
        windows = get_rolling_token_windows(
            self.tok_encode(text), self.eot_token_id, self.model.config.n_ctx, 1
        )
        pairs = [("", *make_disjoint_window(window)) for window in windows]
        return sum(logprob for logprob, _ in self._loglikelihood_tokens(pairs))

    def generate_until(self, requests, disable_tqdm=False):
        raise NotImplementedError("no task here lets the model write")
