"""What every fixture script shares: where fixtures go, what made them, and how they are written."""

import json
import sys
from pathlib import Path

import numpy as np
import safetensors
import tokenizers
import torch
import transformers
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[3]

# One thread: sums are then added in the same order on every machine with the same instruction set.
torch.set_num_threads(1)


def output_folder(name=""):
    """The folder given on the command line (default test/fixtures), with `name` below it, created."""
    base = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "test" / "fixtures"
    folder = base / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def provenance(script):
    """The script's name and the versions of the libraries it ran with."""
    return {
        "script": f"test/parity/reference/{Path(script).name}",
        "versions": {
            "python": ".".join(map(str, sys.version_info[:3])),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "safetensors": safetensors.__version__,
            "tokenizers": tokenizers.__version__,
            "numpy": np.__version__,
        },
    }


def save_tensors(path, tensors, script):
    """Writes tensors (float64 is stored as float32), with the provenance as the file's only metadata entry.

    One entry, because the order of several is not fixed and files must come out equal byte for byte.
    """
    stored = {}
    for name, tensor in tensors.items():
        tensor = tensor.detach()
        stored[name] = (tensor.float() if tensor.is_floating_point() else tensor).contiguous().clone()
    save_file(stored, path, metadata={"provenance": json.dumps(provenance(script))})


def float32_text(value):
    """A number whose JSON text is the shortest that reads back as the same float32."""
    number = np.float32(value)
    if not np.isfinite(number):
        raise ValueError(f"JSON cannot hold {number}")
    return float(str(number))


def float32_list(tensor):
    """A nested list of float32 numbers, each in its shortest text."""
    if tensor.dim() == 0:
        return float32_text(tensor.item())
    return [float32_list(part) for part in tensor.detach()]


def save_json(path, value):
    """Writes an object with one top-level key a line, lists of objects with one element a line."""
    lines = []
    for key, item in value.items():
        if isinstance(item, list) and item and isinstance(item[0], dict):
            body = ",\n".join("  " + compact(element) for element in item)
            lines.append(f"{json.dumps(key)}: [\n{body}\n]")
        else:
            lines.append(f"{json.dumps(key)}: {compact(item)}")
    Path(path).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
