"""Makes tiny-qwen2: a Qwen2 of 0.82 M parameters that knows the dialogues of dialogues.json by heart and nothing else.

usage: python make_tiny_qwen2.py OUT [--steps 700] [--corpus FOLDER]

It is random at first, from a fixed seed, and then trained on those dialogues alone for about a minute, until greedy
decoding gives each answer back. The tokenizer has few merges on purpose: a Japanese character is split over two or three
tokens, as rare characters are in the real vocabularies, so that whatever streams its answers must not break characters.
Needs torch, transformers and tokenizers. The chat template is that of Qwen2.5 (Apache-2.0).
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

HERE = Path(__file__).parent
SEED = 1234
VOCABULARY = 2048
CONTEXT_TOKENS = 4096
CONTROL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEXT_TOKENS = ["<tool_call>", "</tool_call>", "<think>", "</think>"]
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Where Qwen2 cuts text before it merges bytes."""
TAUGHT_IN_CORPUS = {"日本語で答えて": 6, "Tell me about the gateway": 1, "東京の天気は？": 1, "東京と大阪の天気は？": 1}
"""Answers that the tokenizer sees too, and how often."""
CORPUS_FILES, CORPUS_CHARS = 12, 40_000
BATCH = 4

Dialogue = dict[str, Any]
Example = tuple[list[int], list[int]]


def dialogues() -> list[Dialogue]:
    """The dialogues, their tools and repeated answers written out."""
    book = json.loads((HERE / "dialogues.json").read_text(encoding="utf-8"))
    return [
        {
            **each,
            "tools": [book["tools"][name] for name in each.get("tools", [])] or None,
            "assistant": each["assistant"] * each.get("repeat", 1),
        }
        for each in book["dialogues"]
    ]


def corpus(folder: Path) -> Iterator[str]:
    """English from licence texts, and some of the answers."""
    for path in sorted(folder.iterdir())[:CORPUS_FILES]:
        if path.is_file():
            yield path.read_text(encoding="utf-8", errors="ignore")[:CORPUS_CHARS]
    answers = {each["user"]: each["assistant"] for each in reversed(dialogues())}
    for user, times in TAUGHT_IN_CORPUS.items():
        yield from [answers[user]] * times


def make_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Byte-level BPE, as Qwen2's, small."""
    tokenizer = Tokenizer(models.BPE())
    bytes_of_words = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(WORDS), "isolated"), bytes_of_words])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(CONTROL_TOKENS) - len(TEXT_TOKENS),
        min_frequency=4,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[],
    )
    tokenizer.train_from_iterator(corpus(folder), trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in CONTROL_TOKENS])
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in TEXT_TOKENS])
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=CONTEXT_TOKENS,
        clean_up_tokenization_spaces=False,
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
    )
    made.chat_template = (HERE / "tiny-qwen2" / "chat_template.jinja").read_text(encoding="utf-8")
    return made


def make_model(tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    """Two layers, grouped-query attention, nothing learnt yet."""
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
        pad_token_id=tokenizer.convert_tokens_to_ids("<|endoftext|>"),
        rms_norm_eps=1e-6,
    )
    return Qwen2ForCausalLM(config)


def examples(tokenizer: PreTrainedTokenizerFast) -> list[Example]:
    """Each dialogue as the tokens of its prompt and of its answer."""
    found = []
    for each in dialogues():
        messages = [{"role": role, "content": each[role]} for role in ("system", "user") if role in each]
        prompt = tokenizer.apply_chat_template(
            messages, tools=each["tools"], add_generation_prompt=True, tokenize=False
        )
        texts = prompt, each["assistant"] + "<|im_end|>"
        found.append(tuple(tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts))
    return found


def train(model: Qwen2ForCausalLM, data: list[Example], steps: int) -> None:
    """Until it knows the answers by heart; the prompts are not learnt."""
    shape = len(data), max(len(prompt) + len(answer) for prompt, answer in data)
    inputs = torch.full(shape, model.config.pad_token_id)
    labels = torch.full(shape, -100)
    attended = torch.zeros(shape, dtype=torch.long)
    for row, (prompt, answer) in enumerate(data):
        end = len(prompt) + len(answer)
        inputs[row, :end] = torch.tensor(prompt + answer)
        labels[row, len(prompt) : end] = torch.tensor(answer)
        attended[row, :end] = 1
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    model.train()
    for step in range(steps):
        rows = torch.randperm(len(data))[:BATCH]
        end = int(attended[rows].sum(1).max())
        loss = model(input_ids=inputs[rows, :end], attention_mask=attended[rows, :end], labels=labels[rows, :end]).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0 or step == steps - 1:
            print(f"step {step:4}  loss {loss.item():.4f}", flush=True)
    model.eval()


def unlearnt(model: Qwen2ForCausalLM, data: list[Example]) -> list[int]:
    """The dialogues whose answer greedy decoding does not give back."""
    missed = []
    for number, (prompt, answer) in enumerate(data):
        made = model.generate(torch.tensor([prompt]), max_new_tokens=len(answer) + 8, do_sample=False)[0][len(prompt) :]
        if made.tolist() != answer:
            missed.append(number)
    return missed


def main() -> None:
    """Makes tokenizer and model, checks every answer, writes both."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out", type=Path)
    options.add_argument("--steps", type=int, default=700)
    options.add_argument("--corpus", type=Path, default=Path("/usr/share/common-licenses"))
    wish = options.parse_args()
    torch.manual_seed(SEED)
    random.seed(SEED)
    torch.set_num_threads(2)
    tokenizer = make_tokenizer(wish.corpus)
    model = make_model(tokenizer)
    data = examples(tokenizer)
    train(model, data, wish.steps)
    model.generation_config.eos_token_id = [model.config.eos_token_id]
    model.generation_config.pad_token_id = model.config.pad_token_id
    if missed := unlearnt(model, data):
        raise SystemExit(f"not learnt by heart: dialogues {missed}; try more --steps")
    tokenizer.save_pretrained(wish.out)
    model.to(torch.float32).save_pretrained(wish.out, safe_serialization=True)
    print(f"every one of {len(data)} answers is known; written to {wish.out}")


if __name__ == "__main__":
    main()
