"""Makes every fixture again, each script in a process of its own: make_all.py [output folder]."""

import subprocess
import sys
from pathlib import Path

SCRIPTS = [
    "philox.py", "operations.py", "gpt.py", "gpt2.py", "bert.py", "bert_training.py", "transformer.py", "bart.py", "t5.py",
    "bert2bert.py", "llama.py", "gguf_types.py", "tokenizer_pairs.py", "metrics.py", "translation_metrics.py"]


def main():
    for script in SCRIPTS:
        print(f"{script} …", flush=True)
        subprocess.run([sys.executable, Path(__file__).with_name(script), *sys.argv[1:]], check=True)


if __name__ == "__main__":
    main()
