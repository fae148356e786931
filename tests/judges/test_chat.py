"""The protocol of DialoGPT: transformers, used as DialoGPT's own page shows, answers the same."""

import torch
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

import picogpt
from picogpt.weights.find import find_model

FOLDER = find_model("fairytale", offline=True)
TURNS = ["Who are you?", "Where do you live?", "“Come with me,” said the king."]


def test_three_turns():
    judge = GPT2LMHeadModel.from_pretrained(FOLDER, dtype=torch.float32).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(FOLDER)
    chat = picogpt.load("fairytale").chat(dialogue=True, max_new_tokens=15, temperature=0.0)
    end = chat.model.tokenizer.endoftext
    history = torch.zeros(1, 0, dtype=torch.long)
    for turn in TURNS:
        new = tokenizer(turn, return_tensors="pt").input_ids
        ids = torch.cat([history, new, torch.tensor([[end]])], dim=-1)
        assert chat.prompt_ids([*chat.turns, turn]) == ids[0].tolist()
        history = judge.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=15, do_sample=False,
            pad_token_id=end, eos_token_id=end,
        )  # fmt: skip
        answer = tokenizer.decode(history[0, ids.shape[1] :], skip_special_tokens=True)
        assert chat.say(turn) == answer.lstrip()
        # the same text as ids: an answer that begins with a space loses it in the next turn
        said = chat.prompt_ids([*chat.turns, "x"])[: -len(tokenizer("x").input_ids) - 1]
        history = torch.tensor([said])
