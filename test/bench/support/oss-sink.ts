import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'

/*
 * Stands for OSS (and S3, whose words for multipart uploads are the same) where its own cost must not count: reads bytes, sums them up and
 * drops them. No signature is checked. `GET /-/uploads` tells what came, `GET /-/received` only how much; DELETE forgets it.
 * `PUT /-/checksums` tells it the CRC-64 of parts by their CRC-32, so that it lists them as OSS does without computing any.
 */

export interface SunkPart {
  partNumber: number
  sizeBytes: number
  crc32: number
  etag: string
}

export interface SunkUpload {
  key: string
  uploadId: string
  isComplete: boolean
  parts: SunkPart[]
}

/** What `/-/uploads` answers. `received`: bytes of parts, also of those that were cut off; times in ms since 1970, 0 for never. */
export interface Sunk {
  uploads: SunkUpload[]
  received: { bytes: number; firstByteAtMs: number }
}

const uploads = new Map<string, { key: string; tag: string; isComplete: boolean; parts: Map<number, SunkPart> }>()

const crc64s = new Map<number, string>()

let received: Sunk['received'] = { bytes: 0, firstByteAtMs: 0 }

const server = createServer((request, response) => {
  // A request that is cut off has nobody to answer.
  answer(request, response).catch(() => response.destroy())
})

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://sink')
  const query = url.searchParams
  const upload = uploads.get(query.get('uploadId') ?? '')
  const reply = (status: number, headers: Record<string, string> = {}, body = '') => {
    response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
  const xml = (body: string) => reply(200, { 'content-type': 'application/xml' }, `<?xml version="1.0"?>${body}`)
  if (url.pathname === '/-/checksums') {
    for (const [crc32, crc64] of JSON.parse(await text(request)) as [number, string][]) crc64s.set(crc32, crc64)
    return reply(204)
  }
  if (url.pathname === '/-/received') {
    if (request.method === 'DELETE') received = { bytes: 0, firstByteAtMs: 0 }
    return reply(200, {}, JSON.stringify(received))
  }
  if (url.pathname === '/-/uploads') {
    if (request.method === 'DELETE') {
      uploads.clear()
      received = { bytes: 0, firstByteAtMs: 0 }
    }
    const sunk = [...uploads].map(([uploadId, one]) => toSunk(uploadId, one))
    return reply(200, {}, JSON.stringify({ uploads: sunk, received } satisfies Sunk))
  }
  if (request.method === 'PUT' && upload) {
    const part = await drop(request, Number(query.get('partNumber')))
    upload.parts.set(part.partNumber, part)
    return reply(200, { etag: `"${part.etag}"` })
  }
  await drop(request, 0)
  if (request.method === 'POST' && query.has('uploads')) {
    const uploadId = randomBytes(16).toString('hex').toUpperCase()
    const tag = String(request.headers['x-oss-meta-partway-upload'] ?? '')
    uploads.set(uploadId, { key: url.pathname, tag, isComplete: false, parts: new Map() })
    return xml(
      `<InitiateMultipartUploadResult><Bucket>bench</Bucket><Key>k</Key><UploadId>${uploadId}</UploadId></InitiateMultipartUploadResult>`,
    )
  }
  if (request.method === 'GET' && query.has('uploads')) {
    return xml('<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>')
  }
  if (request.method === 'GET' && upload) return xml(partList(upload, query))
  if (request.method === 'POST' && upload) {
    upload.isComplete = true
    return xml(
      '<CompleteMultipartUploadResult><Location>l</Location><Bucket>bench</Bucket><Key>k</Key><ETag>"SUNK-1"</ETag></CompleteMultipartUploadResult>',
    )
  }
  if (request.method === 'DELETE' && upload) return reply(204)
  const object = [...uploads.values()].find((one) => one.isComplete && one.key === url.pathname)
  if (request.method === 'HEAD' && object) {
    const sizeBytes = [...object.parts.values()].reduce((sum, part) => sum + part.sizeBytes, 0)
    return reply(200, {
      'content-length': String(sizeBytes),
      etag: '"SUNK-1"',
      'x-oss-meta-partway-upload': object.tag,
    })
  }
  return reply(
    404,
    { 'content-type': 'application/xml' },
    '<Error><Code>NoSuchKey</Code><Message>none</Message></Error>',
  )
}

async function drop(request: IncomingMessage, partNumber: number): Promise<SunkPart> {
  let sizeBytes = 0
  let sum = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    if (received.firstByteAtMs === 0 && partNumber > 0) received.firstByteAtMs = Date.now()
    sizeBytes += chunk.length
    if (partNumber > 0) received.bytes += chunk.length
    sum = crc32(chunk, sum)
  }
  const md5 = request.headers['content-md5']
  const etag = md5 ? Buffer.from(String(md5), 'base64').toString('hex').toUpperCase() : `CRC32-${sum.toString(16)}`
  return { partNumber, sizeBytes, crc32: sum, etag }
}

function partList({ parts }: { parts: Map<number, SunkPart> }, query: URLSearchParams): string {
  const marker = Number(query.get('part-number-marker') ?? 0)
  const limit = Number(query.get('max-parts') ?? 1000)
  const later = sorted(parts).filter(({ partNumber }) => partNumber > marker)
  const listed = later.slice(0, limit).map(({ partNumber, sizeBytes, etag, crc32 }) => {
    const crc64 = crc64s.get(crc32)
    const checksum = crc64 === undefined ? '' : `<HashCrc64ecma>${crc64}</HashCrc64ecma>`
    return `<Part><PartNumber>${partNumber}</PartNumber><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"${etag}"</ETag>${checksum}<Size>${sizeBytes}</Size></Part>`
  })
  return `<ListPartsResult><IsTruncated>${later.length > limit}</IsTruncated>${listed.join('')}</ListPartsResult>`
}

function toSunk(
  uploadId: string,
  { key, isComplete, parts }: { key: string; isComplete: boolean; parts: Map<number, SunkPart> },
): SunkUpload {
  return { key, uploadId, isComplete, parts: sorted(parts) }
}

function sorted(parts: Map<number, SunkPart>): SunkPart[] {
  return [...parts.values()].sort((a, b) => a.partNumber - b.partNumber)
}

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port })
})
