import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { heddle, heddleJson, type TrainOutput, temporaryFolder, tinyModel, writeTinyTraining } from './command.js'

const at = temporaryFolder()
const { text, recipeFile } = writeTinyTraining(at)

const train = (...args: string[]) => heddleJson<TrainOutput>('train', recipeFile, ...args)
/** What a run's directory holds beside its checkpoints. */
const runFiles = ['events.out.tfevents.heddle', 'metrics.jsonl', 'recipe.yaml', 'run.json']
const bytes = (...path: string[]) => readFileSync(join(...path))
const weights = (checkpoint: string) => bytes(checkpoint, 'model.safetensors')

describe('heddle train', () => {
  it('trains what the recipe says, changed by --set, and prints one line of JSON', async () => {
    const out = at('first')
    const result = await train('--set', 'train.steps=5', 'train.seed=3', '--out', out)
    const { vocabularySize, width, layers, contextLength } = { ...tinyModel, vocabularySize: new Set(text).size + 1 }
    // No biases: embeddings, two norms and 4 + 8 square matrices a layer, the last norm.
    const parameters = (vocabularySize + contextLength) * width + layers * (2 * width + 12 * width ** 2) + width
    expect(result).toEqual({
      steps: 5,
      seconds: expect.any(Number),
      tokensPerSecond: expect.any(Number),
      trainLoss: expect.any(Number),
      validationLoss: expect.any(Number),
      parameters,
      checkpoint: join(out, 'checkpoint-5'),
    })
    expect(Math.abs(result.trainLoss - Math.log(vocabularySize))).toBeLessThan(0.2)
    const { seconds, tokensPerSecond } = result
    expect(tokensPerSecond).toBeGreaterThan((5 * 4 * 16) / seconds)
    expect(readdirSync(out).sort()).toEqual(['checkpoint-5', ...runFiles])
    expect(readdirSync(result.checkpoint).sort()).toEqual([
      'config.json',
      'data.json',
      'generation_config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
      'training_state.json',
      'training_state.safetensors',
    ])
  })

  it('learns, and shows its progress on standard error and the result on standard output', async () => {
    const out = at('learns')
    const { code, stdout, stderr } = await heddle(
      ...['train', recipeFile, '--set', 'train.steps=150', 'train.learningRate=1e-2', '--out', out],
    )
    expect(code).toBe(0)
    const [, loss] = /^150 steps in \S.*: training loss \d\.\d{4}, validation loss (\d\.\d{4})\n/.exec(stdout) ?? []
    expect(stdout.endsWith(`checkpoint: ${join(out, 'checkpoint-150')}\n`)).toBe(true)
    // A model that knows only how frequent each character is reaches the text's entropy.
    expect(Number(loss)).toBeLessThan(entropy(text) - 0.5)
    expect(stderr).toMatch(/^[\d.]+k? parameters, [\d.]+k training tokens\n/)
    expect(stderr).toMatch(/^step 150\/150 {2}100% {2}loss \d\.\d{4} {2}validation \d\.\d{4} .* tokens\/s .* left$/m)
  })

  it('repeats itself to the bit, from the recipe or from the one that a run has saved', async () => {
    const [one, other] = await Promise.all([train('--out', at('one')), train('--out', at('other'))])
    const saved = await heddleJson<TrainOutput>('train', at('one', 'recipe.yaml'), '--out', at('saved'))
    expect(weights(other.checkpoint).equals(weights(one.checkpoint))).toBe(true)
    expect(weights(saved.checkpoint).equals(weights(one.checkpoint))).toBe(true)
    const seeded = await train('--set', 'train.seed=2', '--out', at('seeded'))
    expect(weights(seeded.checkpoint).equals(weights(one.checkpoint))).toBe(false)
  })

  it('validates on the last tenth of the text, or on a file of its own', async () => {
    const cut = Math.floor(0.9 * text.length)
    writeFileSync(at('train.txt'), text.slice(0, cut))
    writeFileSync(at('validation.txt'), text.slice(cut))
    const given = [`data.train=${at('train.txt')}`, `data.validation=${at('validation.txt')}`]
    const [held, own] = await Promise.all([
      train('--set', 'train.checkpointEvery=100', '--out', at('held')),
      train('--set', ...given, '--out', at('own')),
    ])
    expect(own.validationLoss).toBe(held.validationLoss)
    expect(weights(own.checkpoint).equals(weights(held.checkpoint))).toBe(true)
    const evaluation = ['--task', 'causal-lm', '--data', at('validation.txt')]
    const { metrics } = await heddleJson<{ metrics: { loss: number } }>('eval', '--model', at('own'), ...evaluation)
    expect(metrics.loss).toBeCloseTo(own.validationLoss, 5)
  })

  it('trains for epochs', async () => {
    const { steps } = await train('--set', 'train.epochs=1.5', 'train.accumulate=3', '--out', at('epochs'))
    const windows = (0.9 * text.length) / tinyModel.contextLength
    expect(Math.abs(steps - (1.5 * windows) / (4 * 3))).toBeLessThan(1)
  })

  it('trains for minutes', async () => {
    const result = await train('--set', 'train.minutes=0.02', 'train.evaluateEvery=100000', '--out', at('minutes'))
    expect(result.seconds).toBeGreaterThanOrEqual(1.2)
    expect(result.validationLoss).toBeGreaterThan(0)
    expect(result.checkpoint).toBe(at('minutes', `checkpoint-${result.steps}`))
  })

  it('goes on from a checkpoint that the recipe names, with another dropout', async () => {
    const first = await train('--out', at('base'))
    const still = ['train.steps=1', 'train.learningRate=1e-12', 'train.weightDecay=0', 'model.dropout=0.25']
    const next = await train('--set', `model.from=${at('base')}`, ...still, '--out', at('tuned'))
    expect(next.validationLoss).toBeCloseTo(first.validationLoss, 6)
    const config = JSON.parse(readFileSync(join(next.checkpoint, 'config.json'), 'utf8'))
    expect(config).toMatchObject({ resid_pdrop: 0.25, embd_pdrop: 0.25, attn_pdrop: 0.25, n_embd: 16 })
    expect(bytes(next.checkpoint, 'tokenizer.json')).toEqual(bytes(first.checkpoint, 'tokenizer.json'))
  })

  it('keeps only the best and the last checkpoint', async () => {
    // A learning rate that soon does harm: the best checkpoint is an early one.
    const wild = ['train.steps=12', 'train.evaluateEvery=1', 'train.learningRate=3', 'train.warmup=0.99']
    const { checkpoint, validationLoss } = await train('--set', ...wild, '--out', at('wild'))
    const run = JSON.parse(readFileSync(at('wild', 'run.json'), 'utf8'))
    expect(run).toMatchObject({ status: 'finished', last: 'checkpoint-12', bestLoss: validationLoss })
    expect(run.best).not.toBe(run.last)
    expect(checkpoint).toBe(at('wild', run.best))
    expect(readdirSync(at('wild')).sort()).toEqual([run.last, run.best, ...runFiles].sort())
  })

  it('refuses a directory that holds a run, and touches nothing', async () => {
    const out = at('taken')
    await train('--out', out)
    const before = readFileSync(join(out, 'run.json'), 'utf8')
    const { code, stdout, stderr } = await heddle('train', recipeFile, '--out', out)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toBe(
      `heddle: ${out} already holds a training run: continue it with --resume, or choose another --out\n`,
    )
    expect(readFileSync(join(out, 'run.json'), 'utf8')).toBe(before)
  })

  it('trains into a directory with other files, and leaves them', async () => {
    mkdirSync(at('mine'))
    writeFileSync(at('mine', 'notes.txt'), 'mine')
    await train('--out', at('mine'))
    expect(readFileSync(at('mine', 'notes.txt'), 'utf8')).toBe('mine')
  })

  it('stops when the loss is not a number, and says what to change', async () => {
    const out = at('diverged')
    const wild = ['train.learningRate=1e9', 'train.warmup=0', 'train.checkpointEvery=100']
    const { code, stdout, stderr } = await heddle('train', recipeFile, '--set', ...wild, '--out', out)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    const [last] = stderr.trimEnd().split('\n').slice(-1)
    expect(last).toMatch(
      /^heddle: training: .* NaN .*; lower train\.learningRate \(now [\d.e+]+\), lengthen train\.warmup/,
    )
    expect(JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'))).toEqual({ status: 'failed' })
    expect(readdirSync(out).sort()).toEqual(runFiles)
  })
})

/** Entropy of a text's characters, in nats: the loss of a model that knows nothing but their frequencies. */
function entropy(text: string): number {
  const counts = new Map<string, number>()
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1)
  const total = [...text].length
  return [...counts.values()].reduce((sum, count) => sum - (count / total) * Math.log(count / total), 0)
}
