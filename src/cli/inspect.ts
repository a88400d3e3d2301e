import type { Command } from 'commander'
import { describeModel, type ModelPart } from '../tasks/describe.js'
import { modelOption } from './options.js'
import { action, type GlobalOptions, printText } from './output.js'
import { formatCount } from './progress.js'

/** Adds `heddle inspect`. */
export function register(program: Command): void {
  program
    .command('inspect')
    .summary("show a model's architecture")
    .description(
      "Show a model's parts as a tree with shapes and parameter counts, and the memory to run and to train it.",
    )
    .addOption(modelOption())
    .action(action(inspect))
}

function inspect(options: GlobalOptions & { model: string }) {
  const description = describeModel(options.model)
  if (!options.json) {
    const { type, tree, parameters, memory, unused } = description
    printText(`${type}: ${formatCount(parameters)} parameters (${parameters.toLocaleString('en-US')})`)
    for (const line of drawTree(tree)) printText(line)
    printText(
      `memory to run: ${formatBytes(memory.run)} of weights; to train: ${formatBytes(memory.train)} with gradients and moments`,
    )
    if (unused.length > 0) printText(`not used by this architecture: ${unused.join(', ')}`)
  }
  return description
}

/** Parts as indented lines; consecutive parts of equal structure, like layers, are drawn once. */
function drawTree(parts: readonly ModelPart[], indent = ''): string[] {
  const lines: string[] = []
  for (let i = 0; i < parts.length; ) {
    const same = parts.slice(i).findIndex((part) => structure(part) !== structure(parts[i]))
    const count = same < 0 ? parts.length - i : same
    const { name, shape, parameters, parts: inner } = parts[i]
    const label = count > 1 && inner.length > 0 ? `${name} … ${parts[i + count - 1].name}` : name
    const times = count > 1 && inner.length > 0 ? `${count} × ` : ''
    const size = shape === undefined ? `${times}${formatCount(parameters)}` : `[${shape.join(', ')}]`
    lines.push(`${indent}${label}  ${size}`, ...drawTree(inner, `${indent}  `))
    i += times === '' ? 1 : count
  }
  return lines
}

/** What makes two parts look alike: everything below their own name. */
function structure({ shape, parts }: ModelPart): string {
  return shape === undefined ? `(${parts.map((part) => part.name + structure(part)).join()})` : shape.join('×')
}

function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB']
  const unit = bytes === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  return `${(bytes / 1024 ** unit).toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`
}
