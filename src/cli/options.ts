import { Option } from 'commander'
import { positiveInteger } from './output.js'

/** `--model`, the checkpoint that a command works on. */
export function modelOption(): Option {
  return new Option(
    '--model <directory>',
    'a checkpoint, a training run whose best one is taken, or OWNER/NAME of the Hugging Face hub',
  ).makeOptionMandatory()
}

/** `--device`, what the engine computes on. */
export function deviceOption(): Option {
  return new Option('--device <device>', 'what to compute on')
    .choices(['cpu', 'cuda', 'webgpu', 'coreml', 'directml'])
    .default('cpu')
}

/** `--max-length`, how much of a text is looked at. */
export function maxLengthOption(): Option {
  return new Option('--max-length <tokens>', 'most tokens of a text (default: as in training)').argParser(
    positiveInteger,
  )
}
