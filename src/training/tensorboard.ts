import crc32c from 'crc-32/crc32c.js'
import { PbfWriter } from 'pbf'

/** What happened at one step: numbers and texts by tag. */
export interface TensorBoardEvent {
  /** Seconds since 1970. */
  readonly time: number
  readonly step: number
  /** E.g. `loss/train`. */
  readonly scalars?: Readonly<Record<string, number>>
  /** Shown as Markdown by TensorBoard's text plugin. */
  readonly texts?: Readonly<Record<string, string>>
}

/** The first record of every event file, without which TensorBoard does not read on. */
export function tensorBoardHeader(time: number): Uint8Array {
  const pbf = new PbfWriter()
  pbf.writeDoubleField(1, time)
  pbf.writeStringField(3, 'brain.Event:2')
  return frame(pbf.finish())
}

/** One event as a record of a TensorBoard event file (tensorflow/core/util/event.proto, in TFRecord framing). */
export function tensorBoardRecord(event: TensorBoardEvent): Uint8Array {
  const pbf = new PbfWriter()
  pbf.writeDoubleField(1, event.time)
  pbf.writeVarintField(2, event.step)
  pbf.writeMessage(5, writeSummary, event)
  return frame(pbf.finish())
}

function writeSummary({ scalars = {}, texts = {} }: TensorBoardEvent, pbf: PbfWriter): void {
  for (const [tag, value] of Object.entries(scalars)) pbf.writeMessage(1, writeScalar, { tag, value })
  for (const [tag, text] of Object.entries(texts)) pbf.writeMessage(1, writeText, { tag, text })
}

function writeScalar({ tag, value }: { tag: string; value: number }, pbf: PbfWriter): void {
  pbf.writeStringField(1, tag)
  pbf.writeFloatField(2, value)
}

function writeText({ tag, text }: { tag: string; text: string }, pbf: PbfWriter): void {
  pbf.writeStringField(1, tag)
  pbf.writeMessage(8, writeStringTensor, text)
  pbf.writeMessage(9, writeTextMetadata, undefined)
}

function writeStringTensor(text: string, pbf: PbfWriter): void {
  pbf.writeVarintField(1, 7) // DT_STRING
  pbf.writeMessage(
    2,
    (_shape, shape) => shape.writeMessage(2, (_size, size) => size.writeVarintField(1, 1), null),
    null,
  )
  pbf.writeBytesField(8, new TextEncoder().encode(text))
}

function writeTextMetadata(_: undefined, pbf: PbfWriter): void {
  pbf.writeMessage(1, (name: string, plugin) => plugin.writeStringField(1, name), 'text')
}

/** A TFRecord: the length, its checksum, the data, its checksum, all little-endian. */
function frame(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(data.length + 16)
  const view = new DataView(record.buffer)
  view.setBigUint64(0, BigInt(data.length), true)
  view.setUint32(8, maskedChecksum(record.subarray(0, 8)), true)
  record.set(data, 12)
  view.setUint32(12 + data.length, maskedChecksum(data), true)
  return record
}

/** CRC-32C, rotated and offset so that checksums of data that holds checksums stay random (tensorflow/lib/hash/crc32c.h). */
function maskedChecksum(data: Uint8Array): number {
  const checksum = crc32c.buf(data) >>> 0
  return (((checksum >>> 15) | (checksum << 17)) + 0xa282ead8) >>> 0
}
