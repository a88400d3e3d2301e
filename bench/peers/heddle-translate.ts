/**
 * Our side of the translation benchmark, in the words of pytorch_translate.py: takes the same CONFIG, writes the ids of the
 * translations, says when it is warm, and answers each line {"steps": n} of its input with the times of translating all
 * texts n times.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { beamSearch } from 'heddle/generation'
import { TextToText } from 'heddle/tasks'
import { env } from 'onnxruntime-node'

interface Config {
  readonly model: string
  readonly texts: string
  readonly beams: number
  readonly minNewTokens: number
  readonly maxNewTokens: number
  readonly translations: string
}

function processorSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

function answer(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

const { model, beams, minNewTokens, maxNewTokens, ...files }: Config = JSON.parse(process.argv[2])
const texts: string[] = JSON.parse(readFileSync(files.texts, 'utf8'))
const translator = await TextToText.load(model)
// Batches of similar length are what it makes by itself.
const translate = () =>
  translator.write(texts, { strategy: beamSearch({ beams, earlyStopping: true }), minNewTokens, maxNewTokens })
const translations = (await translate()).map(({ ids }) => ids)
writeFileSync(files.translations, JSON.stringify(translations))
const tokens = translations.reduce((sum, { length }) => sum + length, 0)
const parameters = Object.values(translator.model.parameters()).reduce((sum, { size }) => sum + size, 0)
answer({ ready: true, version: env.versions.node ?? 'unknown', parameters })
for await (const line of createInterface({ input: process.stdin })) {
  const { steps }: { steps: number } = JSON.parse(line)
  const seconds: number[] = []
  const processor: number[] = []
  for (let i = 0; i < steps; i++) {
    const start = performance.now()
    const busy = processorSeconds()
    await translate()
    seconds.push((performance.now() - start) / 1000)
    processor.push(processorSeconds() - busy)
  }
  answer({ seconds, phases: { processor }, peakRss: process.resourceUsage().maxRSS * 1024, loss: tokens })
}
