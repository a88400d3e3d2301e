import { Option } from 'commander'

/** `--model`, the checkpoint that a command works on. */
export function modelOption(): Option {
  return new Option(
    '--model <directory>',
    'a checkpoint, or a training run whose best one is taken',
  ).makeOptionMandatory()
}

/** `--device`, what the engine computes on. */
export function deviceOption(): Option {
  return new Option('--device <device>', 'what to compute on')
    .choices(['cpu', 'cuda', 'webgpu', 'coreml', 'directml'])
    .default('cpu')
}
