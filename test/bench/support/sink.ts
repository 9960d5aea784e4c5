import { compiled } from './compile.ts'
import type { Sunk, SunkPart } from './oss-sink.ts'
import type { SampleFile } from './sample-file.ts'
import { type Service, startService } from './service.ts'
import type { Workplace } from './workplace.ts'

/** An OSS that drops what it is sent, in a process of its own: see oss-sink.ts. */
export interface Sink extends Service {
  url: string
  /** What it was sent since it was last emptied. */
  sunk(): Promise<Sunk>
  received(): Promise<Sunk['received']>
  empty(): Promise<void>
  /** Counts bytes anew, and keeps the uploads. */
  forgetReceived(): Promise<void>
  /** Has it tell the CRC-64 of the file's parts, as OSS does, at no cost of its own. */
  learnChecksums(file: SampleFile): Promise<void>
}

export async function startSink(place: Workplace): Promise<Sink> {
  const service = place.keep(startService(compiled(new URL('./oss-sink.ts', import.meta.url))))
  const { port } = await service.news()
  const url = `http://127.0.0.1:${port}`
  return {
    ...service,
    url,
    sunk: async () => (await fetch(`${url}/-/uploads`)).json() as Promise<Sunk>,
    received: async () => (await fetch(`${url}/-/received`)).json() as Promise<Sunk['received']>,
    forgetReceived: async () => void (await (await fetch(`${url}/-/received`, { method: 'DELETE' })).text()),
    async learnChecksums({ partCrc32s, partCrc64s }) {
      const body = JSON.stringify(partCrc32s.map((crc32, index) => [crc32, partCrc64s[index]]))
      await (await fetch(`${url}/-/checksums`, { method: 'PUT', body })).text()
    },
    empty: async () => void (await (await fetch(`${url}/-/uploads`, { method: 'DELETE' })).text()),
  }
}

/** Throws unless exactly one upload was completed, and is the file. */
export async function checkSink(sink: Sink, file: SampleFile): Promise<void> {
  const complete = (await sink.sunk()).uploads.filter(({ isComplete }) => isComplete)
  if (complete.length !== 1) throw new Error(`the sink has ${complete.length} completed uploads`)
  checkSunk(file, complete[0]?.parts)
}

/** Throws unless the parts are the file, in order. */
export function checkSunk(file: SampleFile, parts: readonly SunkPart[] | undefined): void {
  if (!parts) throw new Error('the sink was sent nothing')
  const sums = file.partCrc32s
  if (parts.length !== sums.length) throw new Error(`the sink has ${parts.length} parts of ${sums.length}`)
  const wrong = parts.find(({ partNumber, crc32 }, index) => partNumber !== index + 1 || crc32 !== sums[index])
  if (wrong) throw new Error(`the sink has other bytes in part ${wrong.partNumber}`)
}
