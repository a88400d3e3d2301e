import { cpSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { fixturePath } from '../parity/fixtures.js'
import { heddle, heddleJson, temporaryFolder, writeTinyTraining } from './command.js'

const at = temporaryFolder()
const { recipeFile } = writeTinyTraining(at)
const out = at('never')

/** A command that ends with a code and one line that matches, and prints nothing else. */
async function fails(code: number, message: RegExp, ...args: string[]): Promise<void> {
  const outcome = await heddle(...args)
  expect(outcome).toEqual({ code, stdout: '', stderr: expect.stringMatching(/^heddle: [^\n]+\n$/) })
  expect(outcome.stderr).toMatch(message)
}

describe('heddle --help', () => {
  it('lists the commands; every command explains itself', async () => {
    const { code, stdout, stderr } = await heddle('--help')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const commands = [...stdout.matchAll(/^ {2}([a-z]+) \[options\]/gm)].map(([, name]) => name)
    expect(commands).toEqual(expect.arrayContaining(['train', 'generate', 'eval', 'logits', 'inspect']))
    const helps = await Promise.all(commands.map((name) => heddle(name, '--help')))
    for (const [i, help] of helps.entries()) {
      expect({ code: help.code, stderr: help.stderr }).toEqual({ code: 0, stderr: '' })
      expect(help.stdout).toMatch(new RegExp(`^Usage: heddle ${commands[i]} \\[options\\]`))
      expect(help.stdout).toMatch(/--json /)
    }
  })
})

describe('wrong usage exits with 2', () => {
  it.each<[args: string[], message: RegExp]>([
    [['trian', 'recipe.yaml'], /unknown command 'trian' \(Did you mean train\?\)/],
    [['train', recipeFile, '--out', out, '--resum'], /unknown option '--resum' \(Did you mean --resume\?\)/],
    [['train', recipeFile], /required option '--out <directory>' not specified/],
    [['train', recipeFile, '--out', out, '--set', 'train.steps'], /--set: expected KEY=VALUE .* got "train\.steps"/],
    [['generate', '--prompt', 'a'], /required option '--model <directory>' not specified/],
    [['generate', '--model', 'm'], /give --prompt TEXT or --ids 1,2,3/],
    [
      ['generate', '--model', 'm', '--prompt', 'a', '--ids', '1'],
      /'--prompt <text>' cannot be used with option '--ids/,
    ],
    [['generate', '--model', 'm', '--prompt', 'a', '--strategy', 'best'], /Allowed choices are greedy, sample, beam/],
    [
      ['generate', '--model', 'm', '--prompt', 'a', '--max-new-tokens', '0'],
      /Expected a whole number of 1 or more, got "0"/,
    ],
    [['generate', '--model', 'm', '--prompt', 'a', '--temperature', '0'], /temperature: expected a number > 0/],
    [['logits', '--model', 'm', '--ids', '1,x'], /Expected token ids such as 1,2,3, got "x" at position 2/],
    [['eval', '--model', 'm', '--task', 'dreaming', '--data', 'd'], /Allowed choices are causal-lm/],
  ])('%j', async (args, message) => {
    await fails(2, message, ...args)
  })
})

describe('a recipe or data that is not right exits with 3, before anything is written', () => {
  writeFileSync(at('empty.txt'), '')
  writeFileSync(at('latin1.txt'), Buffer.from('caf\xe9 au lait', 'latin1'))
  writeFileSync(at('short.txt'), 'too short')
  writeFileSync(at('one.txt'), 'x')
  writeFileSync(at('broken.yaml'), 'model: {layers: 1\ntrain: {}\n')

  it.each<[sets: string[], message: RegExp]>([
    [['train.stpes=3'], /recipe\.yaml: train\.stpes: unknown key, did you mean train\.steps\? \(valid: steps, epochs,/],
    [['mdel.layers=1'], /mdel: unknown key, did you mean model\?/],
    [['train.steps=many'], /train\.steps: expected a whole number of 1 or more, got "many"/],
    [['model.width=15'], /model\.heads: expected a divisor of model\.width \(15\), got 2/],
    [['model.preset=gpt3'], /model\.preset: 'gpt3' is unknown, did you mean gpt2\?/],
    [['data.train=null'], /data\.train is missing: name the text to train on with --set data\.train=FILE/],
    [[`data.train=${at('missing.txt')}`], /cannot read .*missing\.txt: no such file/],
    [[`data.train=${at('empty.txt')}`], /empty\.txt: (the file is empty|0 tokens are too few)/],
    [[`data.train=${at('latin1.txt')}`], /latin1\.txt: expected UTF-8 text, got the byte 0xe9 at offset 3 \(line 1\)/],
    [[`data.train=${at('short.txt')}`], /short\.txt.*: expected at least 2 tokens to validate on, got 1/],
    [[`data.validation=${at('one.txt')}`], /one\.txt: expected at least 2 tokens to validate on, got 1/],
    [['model.contextLength=5000'], /the text to train on has \d+ tokens, a window needs 5001/],
    [[`model.from=${at('nowhere')}`], /nowhere: no such directory/],
  ])('%j', async (sets, message) => {
    await fails(3, message, 'train', recipeFile, '--out', out, '--set', ...sets)
    expect(existsSync(out)).toBe(false)
  })

  it('a recipe that is missing or not YAML', async () => {
    await fails(3, /cannot read .*nothing\.yaml: no such file/, 'train', at('nothing.yaml'), '--out', out)
    await fails(3, /broken\.yaml:2:1: not valid YAML/, 'train', at('broken.yaml'), '--out', out)
    expect(existsSync(out)).toBe(false)
  })

  it('an --out that cannot be a directory exits with 1', async () => {
    const file = at('empty.txt')
    const { code, stderr } = await heddle('train', recipeFile, '--out', file)
    expect(code).toBe(1)
    expect(stderr).toMatch(/heddle: cannot make the folder .*empty\.txt: a file of this name exists; .*\n$/)
    expect(readFileSync(file, 'utf8')).toBe('')
  })
})

describe('a checkpoint that is not right exits with 3', () => {
  beforeAll(async () => {
    await heddleJson('train', recipeFile, '--out', at('run'))
  })

  /** A copy of the trained checkpoint, damaged. */
  function damaged(name: string, damage: (file: (name: string) => string) => void): string {
    const directory = at(name)
    cpSync(at('run', 'checkpoint-12'), directory, { recursive: true })
    damage((file) => join(directory, file))
    return directory
  }

  it.each<[name: string, damage: (file: (name: string) => string) => void, message: RegExp]>([
    ['truncated', (file) => truncateSync(file('model.safetensors'), 3000), /model\.safetensors: .*/],
    ['no-header', (file) => truncateSync(file('model.safetensors'), 4), /model\.safetensors: .*/],
    ['text', (file) => writeFileSync(file('model.safetensors'), 'version https://git-lfs'), /model\.safetensors: .*/],
    [
      'bad-config',
      (file) => writeFileSync(file('config.json'), '{"model_type": gpt2}'),
      /config\.json:1:16: expected JSON/,
    ],
    [
      'other',
      (file) => writeFileSync(file('config.json'), '{"model_type": "perceiver"}'),
      /model_type 'perceiver' is not supported/,
    ],
    ['bad-tokenizer', (file) => writeFileSync(file('tokenizer.json'), '{'), /tokenizer\.json: .*/],
  ])('%s', async (name, damage, message) => {
    await fails(3, message, 'generate', '--model', damaged(name, damage), '--prompt', 'the ')
  })

  it('one that is not there', async () => {
    await fails(3, /nowhere: no such directory/, 'inspect', '--model', at('nowhere'))
    await fails(3, /recipe\.yaml: is not a directory/, 'inspect', '--model', recipeFile)
  })

  it('a run that cannot be resumed', async () => {
    const directory = at('half')
    cpSync(at('run'), directory, { recursive: true })
    writeFileSync(join(directory, 'run.json'), '{"status": "stopped", "last": "checkpoint-12"}')
    truncateSync(join(directory, 'checkpoint-12', 'training_state.safetensors'), 500)
    await fails(3, /training_state\.safetensors: /, 'train', recipeFile, '--out', directory, '--resume')
  })

  it('shows the stack only under --debug', async () => {
    const args = ['inspect', '--model', at('nowhere')]
    const { code, stderr } = await heddle(...args, '--debug')
    expect(code).toBe(3)
    expect(stderr).toMatch(/^heddle: .*nowhere: no such directory.*\nCheckpointError: .*\n {4}at /)
  })
})

describe('a prompt that does not fit exits with 3', () => {
  const tied = ['--model', fixturePath('gpt2/tied')]
  const long = Array.from({ length: 65 }, () => 1).join(',')

  it.each<[args: string[], message: RegExp]>([
    [['generate', ...tied, '--ids', long], /expected prompt 0 to have 1 to 64 tokens \(the model's context\), got 65/],
    [['generate', ...tied, '--ids', '1,99'], /token id 99 at position 2 is not in the vocabulary of 99 tokens/],
    [['logits', ...tied, '--ids', long], /expected 1 to 64 tokens \(the model's context\), got 65/],
    [['logits', ...tied, '--ids', '1,2,100'], /token id 100 at position 3 is not in the vocabulary of 99 tokens/],
  ])('%j', async (args, message) => {
    await fails(3, message, ...args)
  })
})
