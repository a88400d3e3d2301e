import { ConfigError, nearestName } from '../../errors.js'

/** The preset of a name. @throws ConfigError where there is none, with the nearest one */
export function findPreset<Preset>(name: string, presets: Readonly<Record<string, Preset>>): Preset {
  const preset = presets[name]
  if (preset !== undefined) return preset
  const nearest = nearestName(name, Object.keys(presets))
  const hint = nearest === undefined ? '' : `, did you mean ${nearest}?`
  throw new ConfigError(`model.preset: '${name}' is unknown${hint} (valid: ${Object.keys(presets).join(', ')})`)
}
