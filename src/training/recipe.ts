import { LineCounter, parseDocument, stringify } from 'yaml'
import type { z } from 'zod'
import { ConfigError, nearestName, UsageError } from '../errors.js'
import { checkpointKey, modelKeys } from './recipe-models.js'
import { isMap } from './recipe-parts.js'
import { keysOfSections, type Recipe, recipeSchema, withDefaults } from './recipe-schema.js'

export type * from './recipe-schema.js'

/**
 * Reads a recipe: YAML, then the changes of the command line, then checks and defaults.
 *
 * @param yamlText the recipe; an empty text takes every default
 * @param where its file name, for messages
 * @param sets changes such as `train.steps=100`, see {@link applySets}
 * @throws ConfigError in one line that names each wrong key with its full path, what was expected and what came
 */
export function parseRecipe(yamlText: string, where: string, sets: readonly string[] = []): Recipe {
  const written = parseYaml(yamlText, where) ?? {}
  if (!isMap(written)) throw new ConfigError(`${where}: expected a recipe (keys and values), got ${show(written)}`)
  const document = withDefaults(applySets(written, sets))
  const result = recipeSchema(document).safeParse(document, { reportInput: true })
  if (result.success) return result.data
  const problems = result.error.issues.flatMap((issue) => explain(issue, document))
  throw new ConfigError(`${where}: ${problems.join('; ')}`)
}

/**
 * Changes a recipe as `--set KEY=VALUE` asks: KEY is a dotted path whose missing sections are made, VALUE is YAML.
 *
 * `model.from`, `model.encoder` and `model.preset` replace what the document says of the model (and the first two of the
 * tokenizer), `tokenizer.from` what it says of the tokenizer. A key that is set becomes the last of its section.
 *
 * @param document a parsed recipe, which is not changed
 * @param sets assignments, applied in order
 * @throws UsageError where an assignment is not KEY=VALUE; ConfigError where VALUE is not YAML or KEY leads through a
 * value that is not a section
 */
export function applySets(document: Record<string, unknown>, sets: readonly string[]): Record<string, unknown> {
  const result = structuredClone(document)
  const assignments = sets.map(parseAssignment)
  for (const { key } of assignments) {
    if (['model.from', 'model.encoder', 'model.preset'].includes(key)) delete result.model
    if (['model.from', 'model.encoder', 'tokenizer.from'].includes(key)) delete result.tokenizer
  }
  for (const { key, value } of assignments) assign(result, key, value)
  return result
}

/** A recipe as YAML that {@link parseRecipe} reads back as the same recipe. */
export function recipeToYaml(recipe: Recipe): string {
  return stringify(recipe)
}

function parseYaml(yamlText: string, where: string): unknown {
  const lines = new LineCounter()
  const document = parseDocument(yamlText, { lineCounter: lines, prettyErrors: false })
  const [problem] = [...document.errors, ...document.warnings]
  if (problem) {
    const { line, col } = lines.linePos(problem.pos[0])
    throw new ConfigError(`${where}:${line}:${col}: not valid YAML: ${oneLine(problem.message)}`)
  }
  try {
    return document.toJS()
  } catch (cause) {
    throw new ConfigError(`${where}: not valid YAML: ${oneLine(String(cause))}`, { cause })
  }
}

function parseAssignment(assignment: string): { key: string; value: unknown } {
  const [, key, value] = /^([a-z\d][\w-]*(?:\.[a-z\d][\w-]*)*)=(.*)$/is.exec(assignment) ?? []
  if (key === undefined) {
    throw new UsageError(`--set: expected KEY=VALUE with a KEY such as train.steps, got ${show(assignment)}`)
  }
  return { key, value: parseYaml(value, `--set ${key}`) }
}

function assign(document: Record<string, unknown>, key: string, value: unknown): void {
  const path = key.split('.')
  let map = document
  path.slice(0, -1).forEach((name, depth) => {
    const next = (Object.hasOwn(map, name) ? map[name] : undefined) ?? {}
    if (!isMap(next)) {
      const parent = path.slice(0, depth + 1).join('.')
      throw new ConfigError(`--set ${key}: ${parent} is ${show(next)}, not a section; set ${parent} itself`)
    }
    map[name] = next
    map = next
  })
  const name = path[path.length - 1]
  delete map[name]
  map[name] = value
}

function explain(issue: z.core.$ZodIssue, document: Record<string, unknown>): string[] {
  const path = issue.path.join('.')
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownKey([...issue.path, key].join('.'), issue.message.split(', '), document))
  }
  if (path === 'data.train' && issue.input === undefined) {
    return ['data.train is missing: name the text to train on with --set data.train=FILE']
  }
  let expected = issue.message
  if (issue.code === 'invalid_type' && issue.expected === 'object') expected = `a section with the keys ${expected}`
  if (issue.code === 'invalid_value') expected = `one of ${expected}`
  const nearest = issue.code === 'invalid_value' && nearestName(String(issue.input), issue.message.split(', '))
  return [`${path}: expected ${expected}, got ${show(issue.input)}${nearest ? ` (did you mean ${nearest}?)` : ''}`]
}

function unknownKey(path: string, valid: readonly string[], document: Record<string, unknown>): string {
  const key = path.slice(path.lastIndexOf('.') + 1)
  const sectionName = path.slice(0, Math.max(0, path.lastIndexOf('.')))
  const prefix = sectionName ? `${sectionName}.` : ''
  const elsewhere = Object.entries(keysOfSections).find(([, { shape }]) => Object.hasOwn(shape, key))
  const near = nearestName(key, valid)
  const suggestion = near ? prefix + near : elsewhere && elsewhere[0] !== sectionName && `${elsewhere[0]}.${key}`
  const taken = sectionName === 'model' && modelKeys.has(key) && checkpointKey(document)
  const reason = taken ? `${taken} brings the architecture` : 'unknown key'
  return `${path}: ${reason}${suggestion ? `, did you mean ${suggestion}?` : ''} (valid: ${valid.join(', ')})`
}

function show(value: unknown): string {
  const shown = value === undefined ? 'nothing' : typeof value === 'number' ? String(value) : JSON.stringify(value)
  return shown.length > 60 ? `${shown.slice(0, 57)}...` : shown
}

function oneLine(message: string): string {
  return message.replace(/\s+/g, ' ').trim()
}
