// @ts-check
/**
 * Continues one prompt with every strategy.
 *
 *     node examples/generate-strategies.mjs MODEL PROMPT
 *
 * MODEL is a checkpoint or a training run, e.g. runs/shakespeare.
 */
import { beamSearch, greedy, nucleus, sample, TextGenerator } from 'heddle'

const [path, prompt] = process.argv.slice(2)
if (!path || !prompt) {
  console.error('usage: node examples/generate-strategies.mjs MODEL PROMPT')
  process.exit(2)
}

const strategies = {
  'greedy: always the likeliest token': greedy(),
  'sample: drawn from the whole distribution': sample(),
  'temperature 0.5: likely tokens made likelier': sample({ temperature: 0.5 }),
  'top-k 5: drawn from the five likeliest': sample({ topK: 5 }),
  'nucleus 0.9: drawn from the likeliest that make up 90 %': nucleus(0.9),
  'beam search: the likeliest whole sequences of four beams': beamSearch({ beams: 4, returnSequences: 2 }),
}

const writer = await TextGenerator.load(path)
for (const [name, strategy] of Object.entries(strategies)) {
  console.log(`\n— ${name}`)
  for (const { text, score } of await writer.complete(prompt, { strategy, maxNewTokens: 60, seed: 1 })) {
    const note = score === undefined ? '' : `  (log probability per token ${score.toFixed(2)})`
    console.log(`${prompt}${text}${note}`)
  }
}
await writer.dispose()
