import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CheckpointError, DataError, HeddleError } from '../errors.js'
import { readCheckpointTensors, readJson, readSafetensors, readTextFile, writeFileAtomically } from './files.js'
import { serializeSafetensors } from './safetensors.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-files-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const at = (name: string) => join(folder, name)
const saveTensor = (path: string, name: string, values: number[]) =>
  writeFileAtomically(
    path,
    serializeSafetensors([{ name, dtype: 'F32', shape: [values.length], data: Float32Array.from(values) }]),
  )

describe('writeFileAtomically', () => {
  it('writes text and chunks, replaces a file and leaves nothing else behind', () => {
    writeFileAtomically(at('a'), 'grün')
    expect(readFileSync(at('a'), 'utf8')).toBe('grün')
    writeFileAtomically(at('a'), [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)])
    expect([...readFileSync(at('a'))]).toEqual([1, 2, 3])
    expect(readdirSync(folder)).toEqual(['a'])
  })

  it('keeps the old file and removes the temporary one when the content fails', () => {
    writeFileAtomically(at('a'), 'old')
    function* failing() {
      yield Uint8Array.of(1)
      throw new CheckpointError('broken weights')
    }
    expect(() => writeFileAtomically(at('a'), failing())).toThrow('broken weights')
    expect(readFileSync(at('a'), 'utf8')).toBe('old')
    expect(readdirSync(folder)).toEqual(['a'])
  })

  it('says in one line what to do when the system refuses', () => {
    expect(() => writeFileAtomically(at('no/where'), 'x')).toThrow(HeddleError)
    expect(() => writeFileAtomically(at('no/where'), 'x')).toThrow(
      /cannot write .*where: the folder .*no does not exist/,
    )
    mkdirSync(at('taken'))
    expect(() => writeFileAtomically(at('taken'), 'x')).toThrow('a folder of this name exists')
    expect(readdirSync(folder)).toEqual(['taken'])
    writeFileAtomically(at('file'), 'x')
    expect(() => writeFileAtomically(at('file/inside'), 'x')).toThrow(/file is not a folder; choose another path/)
  })

  it.each([
    ['ENOSPC', 'no space left on the disk'],
    ['EACCES', 'no permission to write in'],
    ['EROFS', 'is on a read-only file system'],
  ])('explains %s', (code, message) => {
    // biome-ignore lint/correctness/useYield: it stands for a write that fails
    function* failing(): Generator<Uint8Array> {
      throw Object.assign(new Error('system'), { code })
    }
    expect(() => writeFileAtomically(at('a'), failing())).toThrow(message)
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('readSafetensors and readCheckpointTensors', () => {
  it('reads back what was saved, half precision widened', () => {
    const chunks = serializeSafetensors([
      { name: 'w', dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4.5) },
      { name: 'h', dtype: 'F16', shape: [2], data: Uint16Array.of(0x3c00, 0xc000) },
      { name: 'none', dtype: 'F32', shape: [0], data: new Float32Array(0) },
    ])
    writeFileAtomically(at('model.safetensors'), chunks)
    const tensors = readCheckpointTensors(folder)
    expect(tensors.get('w')).toEqual({ dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4.5) })
    expect(tensors.get('h')).toEqual({ dtype: 'F16', shape: [2], data: Float32Array.of(1, -2) })
    expect(tensors.get('none')?.data.length).toBe(0)
  })

  it('names a missing, an empty and a truncated file', () => {
    expect(() => readSafetensors(at('x'))).toThrow(/cannot read .*x: no such file/)
    expect(() => readSafetensors(folder)).toThrow(/it is a directory/)
    writeFileSync(at('x'), '')
    expect(() => readSafetensors(at('x'))).toThrow(/x: expected a safetensors file, got 0 bytes/)
    saveTensor(at('y'), 'w', [1, 2, 3])
    writeFileSync(at('y'), readFileSync(at('y')).subarray(0, -4))
    expect(() => readSafetensors(at('y'))).toThrow(/y: tensor "w": its data ends at byte 12 but the file has 8/)
  })

  it('reads shards through their index', () => {
    saveTensor(at('one.safetensors'), 'a', [1])
    saveTensor(at('two.safetensors'), 'b', [2])
    const index = { weight_map: { a: 'one.safetensors', b: 'two.safetensors' } }
    writeFileSync(at('model.safetensors.index.json'), JSON.stringify(index))
    const tensors = readCheckpointTensors(folder)
    expect([...tensors].map(([name, { data }]) => [name, ...data])).toEqual([
      ['a', 1],
      ['b', 2],
    ])
  })

  it.each([
    [{ a: 'gone.safetensors' }, /the shard gone\.safetensors is missing/],
    [{ missing: 'one.safetensors' }, /one\.safetensors: tensor missing is listed in .* but not in this shard/],
    [{ a: '../one.safetensors' }, /weight_map\.a: expected a file name, got "\.\.\/one\.safetensors"/],
    [undefined, /expected weight_map to be an object/],
  ])('refuses the index %j', (weight_map, message) => {
    saveTensor(at('one.safetensors'), 'a', [1])
    writeFileSync(at('model.safetensors.index.json'), JSON.stringify({ weight_map }))
    expect(() => readCheckpointTensors(folder)).toThrow(CheckpointError)
    expect(() => readCheckpointTensors(folder)).toThrow(message)
  })

  it('refuses pickles and folders without weights', () => {
    expect(() => readCheckpointTensors(folder)).toThrow('found neither')
    writeFileSync(at('pytorch_model.bin'), 'x')
    expect(() => readCheckpointTensors(folder)).toThrow(/Python pickle.*convert it in Python/)
    expect(() => readCheckpointTensors(at('nowhere'))).toThrow('no such directory')
  })
})

describe('readJson', () => {
  it('parses a file, with a byte order mark or without', () => {
    writeFileSync(at('a.json'), '\ufeff{"a": [1, null]}')
    expect(readJson(at('a.json'))).toEqual({ a: [1, null] })
  })

  it('names line and column of a syntax error', () => {
    writeFileSync(at('a.json'), '{\n  "a": 1,\n  "b": oops\n}')
    expect(() => readJson(at('a.json'))).toThrow(/a\.json:3:8: expected JSON: unexpected character "o"$/)
    writeFileSync(at('a.json'), '')
    expect(() => readJson(at('a.json'))).toThrow(/a\.json:1:1: expected JSON: the text ends too early$/)
    expect(() => readJson(at('b.json'))).toThrow(/cannot read .*b\.json: no such file/)
  })
})

describe('readTextFile', () => {
  it('strips a byte order mark and keeps everything else', () => {
    writeFileSync(at('a'), '\ufeffzwölf\r\n\u0000\ufffd\u{1f9f5}')
    expect(readTextFile(at('a'))).toBe('zwölf\r\n\u0000\ufffd\u{1f9f5}')
  })

  it.each<[string, number[], number, number]>([
    ['a stray byte', [0x61, 0x0a, 0xff, 0x62], 2, 2],
    ['a stray byte after a real U+FFFD', [0xef, 0xbf, 0xbd, 0x0a, 0x0a, 0x80], 5, 3],
    ['a sequence cut off at the end', [0x61, 0xe4, 0xb8], 1, 1],
    ['Latin-1', [...Buffer.from('Zw\u00f6lf', 'latin1')], 2, 1],
    ['an encoded surrogate', [0x61, 0xed, 0xa0, 0x80], 1, 1],
    ['an overlong form', [0xc0, 0xaf], 0, 1],
  ])('finds %s', (_case, bytes, offset, line) => {
    writeFileSync(at('a'), Uint8Array.from(bytes))
    const hex = bytes[offset].toString(16)
    expect(() => readTextFile(at('a'))).toThrow(DataError)
    expect(() => readTextFile(at('a'))).toThrow(`got the byte 0x${hex} at offset ${offset} (line ${line})`)
  })

  it('recognizes UTF-16', () => {
    writeFileSync(at('a'), Buffer.from('\ufeffabc', 'utf16le'))
    expect(() => readTextFile(at('a'))).toThrow('iconv -f utf-16 -t utf-8')
  })

  it('refuses a missing, an empty and a directory', () => {
    expect(() => readTextFile(at('no'))).toThrow(/cannot read .*no: no such file/)
    expect(() => readTextFile(folder)).toThrow('it is a directory')
    writeFileSync(at('a'), '\ufeff')
    expect(() => readTextFile(at('a'))).toThrow('the file is empty')
  })
})
