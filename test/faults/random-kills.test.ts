import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../server/local-cloud/seeded-random.ts'
import type { Child } from '../support/child.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'
import { createWorld, type Service, sha256OfObject, untilQuiet, type World, writeRandomFile } from './world.ts'

/* Anything is killed with SIGKILL at any moment: the client, either of two servers, the local cloud, or all of them. The same command, run
 * again, must finish each upload with equal bytes, and send no more twice than what was in flight.
 *
 * FAULT_ROUNDS: uploads (default 4). FAULT_SEED: the sequence of files, victims and moments (default: fixed, printed). */

const rounds = Number(process.env.FAULT_ROUNDS ?? 4)
const seed = Number(process.env.FAULT_SEED ?? 20_261_122)
const MiB = 1_048_576
const parallel = 4
const longestFileBytes = 24 * MiB
const linePerSecondBytes = 5 * MiB
const mostKillsPerUpload = 6
// Headers of a part's request, and of requests that are refused.
const headerBytesPerRequest = 2_048

let world: World
let servers: [Service, Service]
let balancer: TcpProxy

beforeAll(async () => {
  world = await createWorld({ bytesPerSecond: linePerSecondBytes })
  servers = [await world.server(), await world.server()]
  await Promise.all(servers.map((server) => server.start()))
  balancer = await world.balance(servers)
})
afterAll(() => world.close())

const victims = ['client', 'client', 'first server', 'second server', 'both servers', 'cloud', 'everything'] as const
type Victim = (typeof victims)[number]

describe(`random kills, FAULT_SEED=${seed} FAULT_ROUNDS=${rounds}`, () => {
  const random = seededRandom(seed)
  const kills: Record<string, number> = {}
  const total = { uploads: 0, bytes: 0, sentBytes: 0, kills: 0, runs: 0 }

  async function kill(victim: Victim, client: Child): Promise<void> {
    const [first, second] = servers
    const isHit = (name: Victim) => victim === name || victim === 'everything'
    const hitServers = [
      ...(isHit('first server') || victim === 'both servers' ? [first] : []),
      ...(isHit('second server') || victim === 'both servers' ? [second] : []),
    ]
    await Promise.all([
      ...(isHit('client') ? [client.kill()] : []),
      ...(isHit('cloud') ? [world.cloud.kill()] : []),
      ...hitServers.map((server) => server.kill()),
    ])
    // Back after a moment, as a supervisor would have it.
    await delay(random() * 500)
    if (isHit('cloud')) await world.cloud.start()
    await Promise.all(hitServers.map((server) => server.start()))
  }

  it.each(Array.from({ length: rounds }, (_, index) => index + 1))('upload %i ends with equal bytes', async (round) => {
    const sizeBytes = Math.floor(random() * longestFileBytes)
    const subject = `round-${round}`
    const file = join(world.directory, subject)
    const sha256 = await writeRandomFile(file, sizeBytes)
    const sentBefore = world.ossLine.sentBytes()
    const args = [
      'upload',
      file,
      '--json',
      '--part-size',
      '1MiB',
      '--parallel',
      `${parallel}`,
      '--record-dir',
      `${file}.records`,
    ]

    let killsHere = 0
    let result: { id: string; key: string; sizeBytes: number } | null = null
    for (let run = 1; result === null; run++) {
      if (run > 40) throw new Error('no run finishes the upload')
      total.runs++
      const client = world.client(balancer, args, subject)
      while (client.isRunning() && killsHere < mostKillsPerUpload) {
        const isEnded = await Promise.race([client.ended.then(() => true), delay(100 + random() * 1_400, false)])
        if (isEnded) break
        const victim = victims[Math.floor(random() * victims.length)] ?? 'client'
        kills[victim] = (kills[victim] ?? 0) + 1
        killsHere++
        await kill(victim, client)
      }
      await client.ended
      // Killed or not: once it has said so, it is done, and the command run again would upload the file again.
      const lastLine = client.stdout().trim().split('\n').at(-1) ?? ''
      if (lastLine !== '') result = JSON.parse(lastLine)
    }

    const sentBytes = world.ossLine.sentBytes() - sentBefore
    const requests = Math.ceil(sizeBytes / MiB) + killsHere * parallel * 2
    total.uploads++
    total.bytes += sizeBytes
    total.sentBytes += sentBytes
    total.kills += killsHere
    expect(await sha256OfObject(world, result.key)).toBe(sha256)
    const { rows } = await world.db.query('SELECT id, state FROM uploads WHERE subject = $1', [subject])
    expect(rows).toEqual([{ id: result.id, state: 'completed' }])
    expect(sentBytes).toBeLessThanOrEqual(sizeBytes + killsHere * parallel * MiB + requests * headerBytesPerRequest)
    await rm(file)
  })

  it('leaves no stuck row, no part row and no multipart upload behind', async () => {
    await untilQuiet(world)
    expect(await world.openMultipartUploads()).toEqual([])
    const { rows } = await world.db.query('SELECT count(*)::int AS parts FROM upload_parts')
    expect(rows).toEqual([{ parts: 0 }])
    console.log(`random kills: ${JSON.stringify({ seed, ...total, byVictim: kills })}`)
  })
})
