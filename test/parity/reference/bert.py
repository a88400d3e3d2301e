"""Writes bert/: tiny random encoders of every family and head as Hugging Face saves them, and what they compute.

Outputs, losses and gradients are of a padded batch in float64; values of padding are left out, so that a tensor per token
has one row for each of the N tokens of all sequences.
"""

import json
import shutil

import torch
import transformers
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from transformers import logging
from transformers.models.t5.modeling_t5 import T5Attention, T5Config

from fixture import float32_list, float32_text, output_folder, provenance, save_json, save_tensors

VOCABULARY, WIDTH, HEADS, INNER, LAYERS, POSITIONS = 31, 12, 2, 20, 2, 16
LENGTHS = (7, 3, 11, 5)
LABELS = ("nothing", "person", "place")

BERT = {
    "vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
    "intermediate_size": INNER, "max_position_embeddings": POSITIONS}
ROBERTA = {**BERT, "max_position_embeddings": POSITIONS + 2, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
DISTILBERT = {
    "vocab_size": VOCABULARY, "dim": WIDTH, "n_layers": LAYERS, "n_heads": HEADS, "hidden_dim": INNER,
    "max_position_embeddings": POSITIONS}
FAMILIES = {"Bert": BERT, "Roberta": ROBERTA, "DistilBert": DISTILBERT}
BODIES = {"Bert": "bert", "Roberta": "roberta", "DistilBert": "distilbert"}

# Folder: (family, head, further configuration). Activations and problems differ here and there, to be seen.
VARIANTS = {
    "bert-model": ("Bert", "Model", {}),
    "bert-masked-lm": ("Bert", "ForMaskedLM", {"hidden_act": "gelu_new"}),
    "bert-pretraining": ("Bert", "ForPreTraining", {}),
    "bert-sequence": ("Bert", "ForSequenceClassification", {"labels": LABELS, "classifier_dropout": 0.3}),
    "bert-token": ("Bert", "ForTokenClassification", {"labels": LABELS, "hidden_act": "relu"}),
    "bert-answer": ("Bert", "ForQuestionAnswering", {}),
    "bert-choice": ("Bert", "ForMultipleChoice", {}),
    "bert-relation": ("Bert", "ForRelationClassification", {"labels": LABELS}),
    "bert-relative": ("Bert", "ForSequenceClassification", {
        "labels": LABELS[:2], "pooling": "mean", "relative_positions": {"buckets": 8, "max_distance": 9}}),
    "roberta-model": ("Roberta", "Model", {}),
    "roberta-masked-lm": ("Roberta", "ForMaskedLM", {}),
    "roberta-sequence": ("Roberta", "ForSequenceClassification", {
        "labels": LABELS, "problem_type": "multi_label_classification"}),
    "roberta-token": ("Roberta", "ForTokenClassification", {"labels": LABELS}),
    "roberta-answer": ("Roberta", "ForQuestionAnswering", {}),
    "roberta-choice": ("Roberta", "ForMultipleChoice", {}),
    "distilbert-model": ("DistilBert", "Model", {}),
    "distilbert-masked-lm": ("DistilBert", "ForMaskedLM", {}),
    "distilbert-sequence": ("DistilBert", "ForSequenceClassification", {
        "labels": LABELS[:1], "problem_type": "regression"}),
    "distilbert-token": ("DistilBert", "ForTokenClassification", {"labels": LABELS}),
    "distilbert-answer": ("DistilBert", "ForQuestionAnswering", {}),
    "distilbert-choice": ("DistilBert", "ForMultipleChoice", {}),
}


class Relation(torch.nn.Module):
    """BERT with a linear layer on the outputs at two tokens of a sequence, one after the other."""

    def __init__(self, config):
        super().__init__()
        self.bert = transformers.BertModel(config, add_pooling_layer=False)
        self.classifier = torch.nn.Linear(2 * config.hidden_size, config.num_labels)


class Relative(torch.nn.Module):
    """BERT with T5's biases in all layers, and the mean of all tokens in the place of the pooler."""

    def __init__(self, config):
        super().__init__()
        self.bert = transformers.BertModel(config, add_pooling_layer=False)
        distances = config.relative_positions
        self.t5 = T5Attention(T5Config(
            d_model=WIDTH, d_kv=WIDTH // HEADS, num_heads=HEADS, relative_attention_num_buckets=distances["buckets"],
            relative_attention_max_distance=distances["max_distance"]), has_relative_attention_bias=True)
        self.bert.encoder.relative_attention_bias = self.t5.relative_attention_bias
        self.classifier = torch.nn.Linear(config.hidden_size, config.num_labels)


def create(name, seed):
    family, head, options = VARIANTS[name]
    torch.manual_seed(seed)
    options = dict(options)
    labels = options.pop("labels", None)
    if labels:
        options["id2label"] = dict(enumerate(labels))
        options["label2id"] = {label: i for i, label in enumerate(labels)}
    config = getattr(transformers, f"{family}Config")(**FAMILIES[family], initializer_range=0.3, **options)
    config._attn_implementation = "eager"
    own = {"bert-relation": Relation, "bert-relative": Relative}
    model = own[name](config) if name in own else getattr(transformers, family + head)(config)
    model.config = config
    with torch.no_grad():  # biases start at 0 and norms at 1: a swap of two would not show
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


def batch(family, seed):
    """Ragged sequences of ids and segments, the segments 0 where the family has one kind or none."""
    generator = torch.Generator().manual_seed(seed)
    ids = [torch.randint(3, VOCABULARY, (n,), generator=generator).tolist() for n in LENGTHS]
    segments = [[int(family == "Bert" and i > n // 2) for i in range(n)] for n in LENGTHS]
    return ids, segments


def padded(rows, padding):
    width = max(map(len, rows))
    return torch.tensor([row + [padding] * (width - len(row)) for row in rows])


def run(name, model, ids, segments):
    """The outputs by name, a row per token or per sequence, and the mask of what is no padding."""
    family, head, _ = VARIANTS[name]
    mask = padded([[1] * len(row) for row in ids], 0)
    inputs = {"input_ids": padded(ids, model.config.pad_token_id), "attention_mask": mask}
    if family != "DistilBert":
        inputs["token_type_ids"] = padded(segments, 0)
    keep = mask.bool()
    if name == "bert-relation":
        starts = [[min(1, n - 1), n - 1] for n in LENGTHS]
        hidden = model.bert(**inputs).last_hidden_state
        pairs = torch.stack([hidden[b, row].flatten() for b, row in enumerate(starts)])
        return {"logits": model.classifier(pairs)}, keep, {"spans": starts}
    if name == "bert-relative":
        bias = model.t5.compute_bias(mask.shape[1], mask.shape[1])
        visible = bias + torch.where(keep, 0.0, -1e9)[:, None, None, :]
        hidden = model.bert(**{**inputs, "attention_mask": visible}).last_hidden_state
        return {"logits": model.classifier(torch.stack([h[k].mean(0) for h, k in zip(hidden, keep)]))}, keep, {}
    if head == "ForMultipleChoice":
        inputs = {key: value.view(2, 2, -1) for key, value in inputs.items()}
    result = model(**inputs)
    if head == "Model":
        pooled = {} if family == "DistilBert" else {"pooled": result.pooler_output}
        return {"hidden": result.last_hidden_state[keep], **pooled}, keep, {}
    if head == "ForPreTraining":
        return {"tokens": result.prediction_logits[keep], "next": result.seq_relationship_logits}, keep, {}
    if head == "ForQuestionAnswering":
        return {"start": result.start_logits[keep], "end": result.end_logits[keep]}, keep, {}
    per_token = head in ("ForMaskedLM", "ForTokenClassification")
    return {"logits": result.logits[keep] if per_token else result.logits}, keep, {}


def loss_of(name, outputs, generator):
    """The targets and the loss of the variants whose gradients are written, or None."""
    if name == "bert-pretraining":  # some tokens to guess, and whether segments follow
        rows = torch.tensor([1, 4, 8, 13, 20, 25])
        targets = torch.randint(3, VOCABULARY, (len(rows),), generator=generator)
        follows = torch.tensor([0, 1, 1, 0])
        loss = F.cross_entropy(outputs["tokens"][rows], targets) + F.cross_entropy(outputs["next"], follows)
        return {"rows": rows, "targets": targets, "next": follows}, loss
    if name in ("roberta-token", "distilbert-token", "bert-relative"):
        logits = outputs["logits"]
        targets = torch.randint(0, logits.shape[1], (len(logits),), generator=generator)
        return {"targets": targets}, F.cross_entropy(logits, targets)
    return None


def save(name, model, folder):
    shutil.rmtree(folder, ignore_errors=True)
    family, head, _ = VARIANTS[name]
    if name in ("bert-relation", "bert-relative"):  # ours: transformers has no such model
        folder.mkdir(parents=True)
        model.config.architectures = [family + head]
        model.config.save_pretrained(folder)
        state = {key: value for key, value in model.state_dict().items() if not key.startswith("t5.")}
        save_file({key: value.contiguous().clone() for key, value in state.items()}, folder / "model.safetensors")
        return
    model.save_pretrained(folder)
    if name == "bert-pretraining":  # as files that came from TensorFlow: other names, buffers, copies of tied weights
        tensors = load_file(folder / "model.safetensors")
        tensors = {
            key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
            for key, value in tensors.items()}
        tensors["bert.embeddings.position_ids"] = torch.arange(POSITIONS)[None]
        tensors["cls.predictions.decoder.weight"] = tensors["bert.embeddings.word_embeddings.weight"].clone()
        tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"].clone()
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def write_gradients(folder, model, loss):
    loss.backward()
    tied = {"t5.relative_attention_bias.weight", "cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}
    gradients = {key: p.grad for key, p in model.named_parameters() if key not in tied and p.grad is not None}
    save_tensors(folder / "gradients.safetensors", gradients, __file__)


def write(name, seed):
    folder = output_folder("bert") / name
    family = VARIANTS[name][0]
    model = create(name, seed)
    save(name, model, folder)
    ids, segments = batch(family, seed)
    double = create(name, seed).double()
    outputs, _, further = run(name, double, ids, segments)
    expected = {
        "provenance": provenance(__file__),
        "sequences": [{"ids": i, "segments": s} for i, s in zip(ids, segments)],
        **further,
        "outputs": {key: float32_list(value.flatten()) for key, value in outputs.items()},
    }
    found = loss_of(name, outputs, torch.Generator().manual_seed(1000 + seed))
    if found is not None:
        targets, loss = found
        expected["targets"] = {key: value.tolist() for key, value in targets.items()}
        expected["loss"] = float32_text(loss.item())
        write_gradients(folder, double, loss)
    save_json(folder / "expected.json", expected)
    # Other keys of config.json change with every version and mean nothing here.
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def write_buckets():
    """T5's groups of distances, for several numbers of groups and largest distances, in one and both directions."""
    cases = []
    for bidirectional in (True, False):
        for buckets, farthest in ((32, 128), (8, 9), (16, 50), (12, 100), (32, 20)):
            distances = torch.arange(-2 * farthest, 2 * farthest + 1)
            groups = T5Attention._relative_position_bucket(
                distances, bidirectional=bidirectional, num_buckets=buckets, max_distance=farthest)
            cases.append({"bidirectional": bidirectional, "buckets": buckets, "maxDistance": farthest,
                          "first": distances[0].item(), "groups": groups.tolist()})
    save_json(output_folder("bert") / "buckets.json", {"provenance": provenance(__file__), "cases": cases})


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    for seed, name in enumerate(VARIANTS):
        write(name, seed)
        print(name)
    write_buckets()


if __name__ == "__main__":
    main()
