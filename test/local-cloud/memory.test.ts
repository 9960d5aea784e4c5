import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { send } from './send.ts'
import { signedUrl } from './slow-put.ts'
import { spawnCloud } from './spawn-cloud.ts'

const MIB = 1024 * 1024
/** 10 GiB with PARTWAY_MEMORY_GIB=10. */
const SIZE_BYTES = Number(process.env.PARTWAY_MEMORY_GIB ?? 1) * 1024 * MIB
const LIMIT_BYTES = 64 * MIB

it('grows by at most 64 MiB, however large the object', { timeout: 900_000 }, async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'partway-memory-'))
  const cloud = await spawnCloud({ dataDir })
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  try {
    const transfer = async (key: string, sizeBytes: number, partBytes: number) => {
      const started = await send(cloud.ossUrl, { method: 'POST', key, query: { uploads: null } })
      const uploadId = started.xml('UploadId') ?? ''
      const count = Math.ceil(sizeBytes / partBytes)
      let next = 1
      const worker = async () => {
        while (next <= count)
          await putZeros(agent, cloud.ossUrl, { key, uploadId, partNumber: next++, sizeBytes: partBytes })
      }
      await Promise.all([worker(), worker(), worker(), worker()])
      const headers = { 'x-oss-complete-all': 'yes' }
      expect((await send(cloud.ossUrl, { method: 'POST', key, query: { uploadId }, headers })).status).toBe(200)
      expect(await readAll(agent, cloud.ossUrl, key)).toBe(count * partBytes)
    }
    // The first transfer brings in code, heap and thread pool; what grows afterwards would grow with size.
    await transfer('small', 64 * MIB, 4 * MIB)
    const before = await cloud.rssBytes()
    let highest = before
    const watch = setInterval(async () => {
      highest = Math.max(highest, await cloud.rssBytes())
    }, 250)
    await transfer('parts', SIZE_BYTES / 2, 8 * MIB)
    await transfer('large parts', SIZE_BYTES / 2, 128 * MIB)
    clearInterval(watch)
    highest = Math.max(highest, await cloud.rssBytes())
    console.log(`${SIZE_BYTES / MIB} MiB up and down: ${toMib(before)} MiB before, at most ${toMib(highest)} MiB`)
    expect(highest - before).toBeLessThanOrEqual(LIMIT_BYTES)
  } finally {
    agent.destroy()
    await cloud.kill()
    await rm(dataDir, { recursive: true, force: true })
  }
})

const toMib = (bytes: number) => Math.round(bytes / MIB)
const zeros = Buffer.alloc(MIB)

function putZeros(
  agent: Agent,
  cloudUrl: string,
  part: { key: string; uploadId: string; partNumber: number; sizeBytes: number },
): Promise<void> {
  const query = { uploadId: part.uploadId, partNumber: String(part.partNumber) }
  return new Promise((resolve, reject) => {
    const headers = { 'content-length': part.sizeBytes }
    const outgoing = request(signedUrl(cloudUrl, 'PUT', part.key, query), { method: 'PUT', agent, headers })
    outgoing.on('error', reject)
    outgoing.on('response', (incoming) => {
      incoming
        .resume()
        .on('end', () => (incoming.statusCode === 200 ? resolve() : reject(new Error(`${incoming.statusCode}`))))
    })
    let left = part.sizeBytes
    const pump = () => {
      while (left > 0) {
        left -= zeros.length
        if (!outgoing.write(zeros)) return outgoing.once('drain', pump)
      }
      return outgoing.end()
    }
    pump()
  })
}

function readAll(agent: Agent, cloudUrl: string, key: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(signedUrl(cloudUrl, 'GET', key), { agent }, (incoming) => {
      let sizeBytes = 0
      incoming.on('data', (chunk: Buffer) => {
        sizeBytes += chunk.length
      })
      incoming.on('end', () => resolve(sizeBytes))
      incoming.on('error', reject)
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}
