import type { ByteSource } from '../byte-source.ts'
import { ClientException } from '../errors.ts'
import {
  type ClientOptions,
  createUploadClient as createClient,
  type Ports,
  type UploadClient,
} from '../upload-client.ts'
import { openFileSource } from './file-source.ts'
// Here it lies on the same disk: loaded apart, as for pages, it would only keep the first upload waiting.
import '../upload-file.ts'
import { createHttpTransport } from './http-transport.ts'
import { createNodeHashing } from './node-hashing.ts'
import { type Reader, readerSource } from './reader-source.ts'

export * from '../index.ts'
export { createDirectoryRecordStore } from './directory-record-store.ts'
export { openFileSource } from './file-source.ts'
export { createHttpTransport } from './http-transport.ts'
export { createNodeHashing } from './node-hashing.ts'
export type { Reader } from './reader-source.ts'

/** A file's path, or anything that gives bytes by range. */
export type NodeSource = string | Reader

/** A client for Node: files by path, parts over node:http(s). Any port may be replaced. */
export function createUploadClient(
  options: ClientOptions & { ports?: Partial<Ports<NodeSource>> },
): UploadClient<NodeSource> {
  if (!/^https?:\/\//i.test(options.baseUrl) || !URL.canParse(options.baseUrl)) {
    throw new ClientException('invalid-argument', 'baseUrl must be an http or https URL')
  }
  const ports = { openSource, transport: createHttpTransport(), hashing: createNodeHashing(), ...options.ports }
  return createClient({ ...options, ports })
}

async function openSource(source: NodeSource): Promise<ByteSource> {
  if (typeof source === 'string' && source !== '') return openFileSource(source)
  if (typeof source === 'object' && typeof source?.read === 'function') return readerSource(source)
  throw new ClientException(
    'invalid-argument',
    'the source must be the path of a file, or an object with sizeBytes and read',
  )
}
