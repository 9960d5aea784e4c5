import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { presignV4, signHeadersV4 } from '../../../server/oss/sign-v4.ts'
import { freePorts } from '../../support/free-ports.ts'
import { localOwner, type Partway, startPartway } from '../support/partway.ts'
import { crc64OfFile, type SampleFile } from '../support/sample-file.ts'
import { checkSink, type Sink } from '../support/sink.ts'
import type { TusServer } from '../support/tus.ts'
import type { Workplace } from '../support/workplace.ts'
import type { TransferInput } from './input.ts'

/** Where a client may send to: how it is told, and how it is checked afterwards that everything arrived. */
export interface Stage {
  inputFor(file: SampleFile, parallel: number): Promise<TransferInput>
  /** Throws unless the bytes of the file are there, and makes room. `location` is what the client says. */
  check(file: SampleFile, location: string): Promise<void>
}

/** The server before a sink. */
export function partwayToSink(server: Pick<Partway, 'url' | 'token'>, sink: Sink): Stage {
  return {
    async inputFor(file, parallel) {
      await sink.empty()
      return { ...file, parallel, url: server.url, token: server.token }
    },
    check: (file) => checkSink(sink, file),
  }
}

/** The sink, by itself: for those that need no server. `url` is how it is reached. */
export function straightToSink(sink: Sink, url = sink.url): Stage {
  return {
    async inputFor(file, parallel) {
      await sink.empty()
      const key = 'file.bin'
      const started = await fetch(`${sink.url}/bench/${key}?uploads`, { method: 'POST' })
      const uploadId = uploadIdOf(await started.text())
      const partUrls = file.partCrc32s.map(
        (_, index) => `${url}/bench/${key}?partNumber=${index + 1}&uploadId=${uploadId}`,
      )
      return { ...file, parallel, url, key, bucket: 'bench', accessKeyId: 'bench', accessKeySecret: 'bench', partUrls }
    },
    async check(file, location) {
      // Who only PUTs leaves the completing to us.
      const { uploads } = await sink.sunk()
      const [first] = uploads
      if (location === '' && first)
        await fetch(`${sink.url}${first.key}?uploadId=${first.uploadId}`, { method: 'POST' })
      await checkSink(sink, file)
    },
  }
}

/** The local OSS: through the server, and straight with its owner's key. */
export async function startLocalOss(place: Workplace): Promise<{ server: Partway; partway: Stage; straight: Stage }> {
  const [ossPort, stsPort] = await freePorts(2)
  const ossUrl = `http://127.0.0.1:${ossPort}`
  const server = await startPartway(place, {
    env: { LOCAL_OSS_PORT: String(ossPort), LOCAL_STS_PORT: String(stsPort) },
  })
  const { bucket, region } = localOwner
  const call = (method: string, key: string, query: Record<string, string | null>, body?: string) => {
    const headers = signHeadersV4({ method, bucket, key, query, region, credentials: localOwner, now: new Date() })
    const printed = Object.entries(query).map(([name, value]) => (value === null ? name : `${name}=${value}`))
    return fetch(`${ossUrl}/${bucket}/${encodeURI(key)}?${printed.join('&')}`, {
      method,
      headers,
      // As bytes: fetch gives a string a Content-Type, which would have to be signed.
      ...(body ? { body: new TextEncoder().encode(body) } : {}),
    })
  }
  /** The object's own CRC-64 says whether it is the file. Then it is deleted. */
  const check = async (file: SampleFile, key: string) => {
    const head = await call('HEAD', key, {})
    const crc64 = head.headers.get('x-oss-hash-crc64ecma')
    if (crc64 !== file.crc64) throw new Error(`the local OSS has an object of CRC-64 ${crc64}, not ${file.crc64}`)
    await call('DELETE', key, {})
  }
  let uploadId = ''
  const key = 'direct/file.bin'
  return {
    server,
    partway: {
      inputFor: async (file, parallel) => ({ ...file, parallel, url: server.url, token: server.token }),
      check,
    },
    straight: {
      async inputFor(file, parallel) {
        uploadId = uploadIdOf(await (await call('POST', key, { uploads: null })).text())
        const partUrls = file.partCrc32s.map((_, index) =>
          presignV4({
            method: 'PUT',
            baseUrl: ossUrl,
            addressing: 'path',
            bucket,
            key,
            region,
            credentials: localOwner,
            now: new Date(),
            expiresSeconds: 3600,
            query: { partNumber: String(index + 1), uploadId },
          }),
        )
        return { ...file, parallel, url: ossUrl, key, ...localOwner, partUrls }
      },
      async check(file, location) {
        if (location === '') await completeLocal(call, key, uploadId)
        else await call('DELETE', key, { uploadId })
        await check(file, key)
      },
    },
  }
}

/** @tus/server, whose store keeps each upload as a file of its id. It cannot join uploads, so whatever is asked for goes one after the other. */
export function toTus(tus: TusServer, endpoint = tus.endpoint): Stage {
  return {
    inputFor: async (file) => ({ ...file, parallel: 1, url: endpoint }),
    async check(file, location) {
      const crc64 = await crc64OfFile(join(tus.directory, location.split('/').at(-1) ?? ''))
      await rm(tus.directory, { recursive: true, force: true })
      await mkdir(tus.directory)
      if (crc64 !== file.crc64) throw new Error(`tus has a file of CRC-64 ${crc64}, not ${file.crc64}`)
    },
  }
}

type Call = (method: string, key: string, query: Record<string, string | null>, body?: string) => Promise<Response>

async function completeLocal(call: Call, key: string, uploadId: string): Promise<void> {
  const parts: string[] = []
  for (let marker = '0'; marker !== ''; ) {
    const text = await (await call('GET', key, { 'part-number-marker': marker, uploadId })).text()
    for (const [part] of text.matchAll(/<Part>.*?<\/Part>/gs)) {
      const number = /<PartNumber>(\d+)/.exec(part)?.[1]
      const etag = /<ETag>(?:&quot;|")?([^<"&]+)/.exec(part)?.[1]
      parts.push(`<Part><PartNumber>${number}</PartNumber><ETag>"${etag}"</ETag></Part>`)
    }
    marker = /<NextPartNumberMarker>(\d+)/.exec(text)?.[1] ?? ''
    if (!text.includes('<IsTruncated>true')) marker = ''
  }
  const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`
  const reply = await call('POST', key, { uploadId }, body)
  if (!reply.ok) throw new Error(`completing: ${reply.status} ${(await reply.text()).slice(0, 300)}`)
}

function uploadIdOf(xml: string): string {
  return /<UploadId>([^<]+)/.exec(xml)?.[1] ?? ''
}
