"""CTranslate2's side of the translation benchmark, driven over standard input and output.

    ctranslate2_translate.py convert MODEL OUT    makes CTranslate2's model of a checkpoint in Marian's format
    ctranslate2_translate.py CONFIG

CONFIG, input and output are those of pytorch_translate.py, but that `model` is a folder that `convert` made. Converting is
a run of its own, so that its memory is not counted. float32; texts are sorted by length and put into batches by CTranslate2
itself.
"""

import json
import os
import sys
from pathlib import Path
from shutil import copyfile

import ctranslate2
from tokenizers import Tokenizer

from translate_side import encode, read_config, serve


def convert(checkpoint, out):
    """CTranslate2's own converter leaves out Marian's padding, with which our decoder starts, and needs its tokenizer."""
    from ctranslate2.converters.transformers import BartLoader
    from transformers import MarianMTModel

    model = MarianMTModel.from_pretrained(checkpoint)
    model.config.normalize_before = False
    model.config.normalize_embedding = False
    spec = BartLoader().get_model_spec(model)
    names = vocabulary(Tokenizer.from_file(str(Path(checkpoint) / "tokenizer.json")), model.config.vocab_size)
    spec.register_source_vocabulary(names)
    spec.register_target_vocabulary(names)
    spec.config.decoder_start_token = names[model.config.decoder_start_token_id]
    spec.config.eos_token = spec.config.bos_token = names[model.config.eos_token_id]
    spec.config.unk_token = next((name for name in ("<unk>", "[UNK]") if name in names), names[-1])
    spec.config.add_source_eos = False
    spec.validate()
    spec.optimize(quantization="float32")
    Path(out).mkdir(parents=True, exist_ok=True)
    spec.save(str(out))
    for name in ("tokenizer.json", "config.json"):
        copyfile(Path(checkpoint) / name, Path(out) / f"checkpoint-{name}")


def vocabulary(tokenizer, size):
    """The token of each id, with a name for those that the tokenizer has not."""
    return [tokenizer.id_to_token(i) or f"<unused {i}>" for i in range(size)]


class Translator:
    def __init__(self, config):
        self.config = config
        folder = Path(config["model"])
        checkpoint = json.loads((folder / "checkpoint-config.json").read_text(encoding="utf-8"))
        self.texts = json.loads(Path(config["texts"]).read_text(encoding="utf-8"))
        self.tokenizer = Tokenizer.from_file(str(folder / "checkpoint-tokenizer.json"))
        self.names = vocabulary(self.tokenizer, checkpoint["vocab_size"])
        self.ids = {name: i for i, name in enumerate(self.names)}
        self.end = checkpoint["eos_token_id"]
        self.translator = ctranslate2.Translator(
            str(folder), device="cpu", compute_type="float32", inter_threads=1,
            intra_threads=int(os.environ.get("OMP_NUM_THREADS", "2")))

    def translate(self):
        """The ids of each text's translation, with the one that ends it, and their texts."""
        sources = [[self.names[i] for i in ids] for ids in encode(self.tokenizer, self.texts, self.end)]
        results = self.translator.translate_batch(
            sources, beam_size=self.config["beams"], length_penalty=1.0, max_input_length=0, return_end_token=True,
            max_batch_size=self.config["batchSize"], batch_type="examples",
            min_decoding_length=self.config["minNewTokens"], max_decoding_length=self.config["maxNewTokens"])
        found = [[self.ids[name] for name in result.hypotheses[0]] for result in results]
        return found, self.tokenizer.decode_batch(found, skip_special_tokens=True)


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "convert":
        convert(*sys.argv[2:])
        return
    config = read_config("ctranslate2_translate.py")
    translator = Translator(config)
    serve(translator.translate, config, {"version": ctranslate2.__version__, "parameters": 0, "backend": "float32"})


if __name__ == "__main__":
    main()
