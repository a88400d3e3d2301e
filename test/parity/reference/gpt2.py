"""Writes gpt2/: tiny random GPT-2 checkpoints as Hugging Face saves them, and what they compute and generate.

Every generation is repeated in float64 and must come out the same, so that no expectation hangs on rounding.
"""

import shutil

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, GenerationConfig, GPT2Config, GPT2LMHeadModel, GPT2Model, logging

from fixture import float32_list, float32_text, output_folder, provenance, save_json

VOCABULARY, POSITIONS, NEW = 99, 64, 20
PAD = 0
# Folder: (seed, inner width, tied head). Seeds whose models repeat themselves little and end early for some id.
VARIANTS = {"tied": (17, None, True), "bare": (2, None, True), "buffers": (3, None, True), "untied": (4, 48, False)}


def create(seed, inner, tied):
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=POSITIONS, n_embd=32, n_layer=2, n_head=4, n_inner=inner,
        initializer_range=0.3, tie_word_embeddings=tied, bos_token_id=1, eos_token_id=None, pad_token_id=PAD,
        attn_implementation="eager")
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():  # biases start at 0 and norms at 1: a swap of two would not show
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model.generation_config = GenerationConfig(bos_token_id=1, pad_token_id=PAD)
    return model


def save(model, folder, name):
    shutil.rmtree(folder, ignore_errors=True)
    if name == "bare":
        base = GPT2Model(model.config)
        base.load_state_dict(model.transformer.state_dict())
        base.save_pretrained(folder)
        model.generation_config.save_pretrained(folder)
        return
    model.save_pretrained(folder)
    if name == "buffers":  # as files from before transformers 4.3x: the causal mask is stored with the weights
        tensors = load_file(folder / "model.safetensors")
        for i in range(model.config.n_layer):
            mask = torch.ones(POSITIONS, POSITIONS).tril().view(1, 1, POSITIONS, POSITIONS)
            tensors[f"transformer.h.{i}.attn.bias"] = mask
            tensors[f"transformer.h.{i}.attn.masked_bias"] = torch.tensor(-1e4)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def until(ids, eos):
    """New ids up to and with the first end-of-sequence id: what follows is padding."""
    return ids[: ids.index(eos) + 1] if eos in ids else ids


def generate(model, ids, mask=None, **settings):
    mask = torch.ones_like(ids) if mask is None else mask
    return model.generate(ids, attention_mask=mask, max_new_tokens=NEW, do_sample=False, pad_token_id=PAD, **settings)


def greedy(model, prompt, **settings):
    return generate(model, torch.tensor([prompt]), **settings)[0, len(prompt):].tolist()


def beams(model, prompt, length_penalty, eos=None):
    found = generate(
        model, torch.tensor([prompt]), num_beams=4, num_return_sequences=4, length_penalty=length_penalty,
        early_stopping=False, eos_token_id=eos, return_dict_in_generate=True, output_scores=True)
    sequences = [until(s[len(prompt):].tolist(), eos) for s in found.sequences]
    scores = found.sequences_scores.tolist()
    for sequence, score in zip(sequences, scores):
        check_score(model, prompt, sequence, score, length_penalty)
    return sequences, scores


def check_score(model, prompt, sequence, score, length_penalty):
    """A score is the sum of log-probabilities over (number of new ids, the end included) ^ length penalty."""
    logits = model(torch.tensor([prompt + sequence])).logits[0, len(prompt) - 1 : -1]
    total = logits.log_softmax(-1).gather(-1, torch.tensor(sequence)[:, None]).sum().item()
    assert abs(total / len(sequence) ** length_penalty - score) < 1e-4, (sequence, total, score)


def reached_end(model, prompt):
    """The id that, as end of sequence, gives beams of different lengths, preferably all ended before the limit."""
    def variety(eos):
        lengths = [{len(s) for s in beams(model, prompt, penalty, eos)[0]} for penalty in (1.0, 2.0)]
        early = sum(len(each) > 1 and max(each) < NEW for each in lengths)
        return (early, len(lengths[0]), -eos)
    best = max(range(2, VOCABULARY), key=variety)
    assert variety(best)[1] > 1, "no id ends beams at different lengths"
    return best


def ragged(model, prompts):
    """Greedy on a left-padded batch; every row must say what it says alone."""
    width = max(map(len, prompts))
    ids = torch.tensor([[PAD] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    rows = generate(model, ids, mask)[:, width:].tolist()
    assert rows == [greedy(model, p) for p in prompts]
    return rows


def expectations(model, prompt, prompts, eos):
    """Everything generated, as plain ids, with the beams' scores apart."""
    searches = [(1.0, None), (2.0, None), (1.0, eos), (2.0, eos)]
    found = [beams(model, prompt, penalty, end) for penalty, end in searches]
    ids = {
        "greedy": greedy(model, prompt),
        "greedyRepetitionPenalty": greedy(model, prompt, repetition_penalty=1.3),
        "greedyEnding": until(greedy(model, prompt, eos_token_id=eos), eos),
        "ragged": ragged(model, prompts),
        "beams": [sequences for sequences, _ in found],
    }
    return ids, searches, [scores for _, scores in found]


def check_saved(model, folder, ids):
    """The folder must load to the very same function."""
    loaded = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    torch.testing.assert_close(loaded(ids).logits, model(ids).logits, rtol=0, atol=0)


@torch.no_grad()
def write(name):
    seed, inner, tied = VARIANTS[name]
    folder = output_folder("gpt2") / name
    model = create(seed, inner, tied)
    save(model, folder, name)
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(2, VOCABULARY, (1, 17), generator=generator)
    prompt = ids[0, :5].tolist()
    prompts = [torch.randint(2, VOCABULARY, (n,), generator=generator).tolist() for n in (3, 9, 6)]
    check_saved(model, folder, ids)

    double = create(seed, inner, tied).double()
    eos = reached_end(double, prompt)
    expected, searches, scores = expectations(model, prompt, prompts, eos)
    exact, _, _ = expectations(double, prompt, prompts, eos)
    assert expected == exact, f"{name}: float32 and float64 generate differently"
    assert len(set(expected["greedy"])) > 5, f"{name}: greedy output is too monotonous: {expected['greedy']}"
    assert expected["greedy"] != expected["greedyRepetitionPenalty"]

    save_json(folder / "expected.json", {
        "provenance": provenance(__file__),
        "seed": seed,
        "ids": ids[0].tolist(),
        "logits": float32_list(double(ids).logits[0]),
        "prompt": prompt,
        "maxNewTokens": NEW,
        "greedy": expected["greedy"],
        "greedyRepetitionPenalty": {"repetitionPenalty": 1.3, "newIds": expected["greedyRepetitionPenalty"]},
        "greedyEnding": {"endOfSequenceId": eos, "newIds": expected["greedyEnding"]},
        "beamSearches": [
            {"beams": 4, "lengthPenalty": penalty, "earlyStopping": False, "endOfSequenceId": end,
             "sequences": [{"newIds": s, "score": float32_text(x)} for s, x in zip(sequences, found)]}
            for (penalty, end), sequences, found in zip(searches, expected["beams"], scores)
        ],
        "ragged": {"paddingId": PAD, "prompts": prompts, "newIds": expected["ragged"]},
    })
    print(name, "greedy", expected["greedy"], "eos", eos, "lengths", [[len(s) for s in b] for b in expected["beams"]])


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    for name in VARIANTS:
        write(name)


if __name__ == "__main__":
    main()
