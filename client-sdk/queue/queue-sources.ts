import { ClientException } from '../errors.ts'
import type { QueueFileOptions } from './queue-item.ts'

/** A source with what is to be known of it alone. */
export interface QueueFile<Source> extends QueueFileOptions {
  source: Source
  /** In bytes, where the source itself does not tell: of a path in Node, for one. A hint for order, totals and time left. */
  sizeBytes?: number | undefined
}

/** A source as the client's `upload` takes it, alone or with options of its own. */
export type QueueSource<Source> = Source | QueueFile<Source>

/** What can be added at once: one source, or any number. */
export type QueueSources<Source> = QueueSource<Source> | Iterable<QueueSource<Source>>

export function isAsyncIterable<Value>(value: unknown): value is AsyncIterable<Value> {
  return typeof (value as AsyncIterable<Value> | null)?.[Symbol.asyncIterator] === 'function'
}

/** One source or many. A string is a path, not a list of letters. Throws ClientException `invalid-argument` for nothing at all. */
export function listOfSources<Source>(sources: QueueSources<Source>): QueueSource<Source>[] {
  if (sources === null || sources === undefined) throw invalid('sources', 'must be a source or a list of sources')
  const isList = typeof sources === 'object' && Symbol.iterator in sources
  return isList ? [...(sources as Iterable<QueueSource<Source>>)] : [sources as QueueSource<Source>]
}

/** The parts of an entry. Throws ClientException `invalid-argument` for a size that is none. */
export function readSource<Source>(
  entry: QueueSource<Source>,
  shared: QueueFileOptions,
): { source: Source; sizeBytes: number | undefined; options: QueueFileOptions } {
  const isFile = typeof entry === 'object' && entry !== null && 'source' in entry
  const { source, sizeBytes, ...own } = isFile ? entry : { source: entry, sizeBytes: undefined }
  if (sizeBytes !== undefined && !isSize(sizeBytes)) throw invalid('sizeBytes', 'must be a whole number from 0')
  return { source, sizeBytes: sizeBytes ?? sizeOf(source), options: isFile ? { ...shared, ...own } : shared }
}

/** A Blob has `size`, a Reader `sizeBytes`. */
function sizeOf(source: unknown): number | undefined {
  const { size, sizeBytes } = Object(source) as { size?: unknown; sizeBytes?: unknown }
  return [size, sizeBytes].find(isSize)
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

export function invalid(name: string, rule: string): ClientException {
  return new ClientException('invalid-argument', `${name} ${rule}`)
}
