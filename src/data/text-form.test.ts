import { expect, it } from 'vitest'
import { sourceForm, targetForm } from './text-form.js'

it('puts the prefix as it is before a source in lower case, and before no target', () => {
  const form = { lowercase: true, prefix: 'translate English to German: ' }
  expect(sourceForm('Über ALLES', form)).toBe('translate English to German: über alles')
  expect(targetForm('Über ALLES', form)).toBe('über alles')
  expect(sourceForm('Über', {})).toBe('Über')
  expect(targetForm('Über', {})).toBe('Über')
})
