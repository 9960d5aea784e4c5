import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AccessOptions } from '@partway/client/ali-oss'
import { systemClock } from '@partway/client/node'
import OSS from 'ali-oss'
import type { RequestHandler } from 'express'
import { vi } from 'vitest'
import { startTestApp, type TestApp, type TestAppOptions } from '../support/app.ts'
import { TEST_BUCKET } from '../support/local-cloud.ts'
import { testRetry } from './upload-bench.ts'

// biome-ignore lint/suspicious/noExplicitAny: the published types of the client miss most of what is used here
export type AliOss = any

/** Server, STS and OSS under one clock, this machine under another, and counts of what is asked of each. */
export interface AliOssBench {
  app: TestApp
  /** For a server beside this one, by the same clock. */
  serverOptions: TestAppOptions
  /** The clock of server, STS and OSS. */
  nowMs(): number
  /** Time passes for everybody. */
  wait(seconds: number): void
  /** Time passes while this machine sleeps: its clock tells afterwards, but `performance` stood still. */
  sleep(seconds: number): void
  /** This machine's clock, and no other, is set to be so much ahead of the true time. */
  setDeviceClock(aheadSeconds: number): void
  /** For createDirectAccess and createUploadAccess: a token for everything, and waits that take no time but on the clocks. */
  access: AccessOptions
  /** A token of the same owner. */
  token: string
  /** What the server was asked and how it answered: `POST /v1/credentials 200`. */
  calls(): string[]
  /** When each set of credentials dies that it gave, in ms since 1970. */
  deathsMs(): number[]
  /** Resolves when the server owes no answer. */
  quiet(): Promise<void>
  /** ali-oss as users make it, and the tokens and URLs it sends. */
  connect(options: object): {
    oss: AliOss
    tokens: Set<string>
    urls: string[]
  }
  /** The path of a new file. */
  file(bytes: Uint8Array): Promise<string>
  /** How often OSS answered 403, whatever to. */
  refusals(): number
  /** Forgets what was counted and which faults there were; an hour later, when all credentials are dead. */
  reset(): void
  close(): Promise<void>
}

export async function startAliOssBench(): Promise<AliOssBench> {
  // What `performance` measures moves as well: time passes for it, too, but nobody can set it.
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: Date.now() })
  let trueMs = Date.now()
  const now = () => new Date(trueMs)
  const wait = (seconds: number) => {
    trueMs += seconds * 1000
    vi.advanceTimersByTime(seconds * 1000)
  }
  const before: RequestHandler = (_request, response, next) => {
    // The platform writes this machine's time otherwise.
    response.setHeader('Date', now().toUTCString())
    next()
  }
  const serverOptions: TestAppOptions = { deps: { now }, mount: { path: '/partway', before } }
  const app = await startTestApp({ ...serverOptions, cloud: { now, cnames: { 'files.example.com': TEST_BUCKET } } })
  const token = app.token({ scopes: ['uploads', 'credentials', 'credentials:direct'], ttlSeconds: 30 * 86_400 })

  const directory = await mkdtemp(join(tmpdir(), 'partway-ali-oss-'))
  let files = 0
  let calls: string[] = []
  let deathsMs: number[] = []
  const underWay = new Set<Promise<unknown>>()
  const ask: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    const path = String(input)
      .slice(app.url.length)
      .replace(/upl_[0-9a-f]{32}/, '{id}')
    calls.push(`${init?.method} ${path} ${response.status}`)
    const body = response.ok ? ((await response.clone().json()) as { expiresAt?: string }) : {}
    if (body.expiresAt) deathsMs.push(Date.parse(body.expiresAt))
    return response
  }
  const noting: typeof fetch = (...request) => {
    const asked = ask(...request)
    const end = () => void underWay.delete(settled)
    const settled: Promise<void> = asked.then(end, end)
    underWay.add(settled)
    return asked
  }
  const clock = { ...systemClock, sleep: async (ms: number) => wait(ms / 1000) }
  return {
    app,
    serverOptions,
    nowMs: () => trueMs,
    wait,
    sleep(seconds) {
      trueMs += seconds * 1000
      vi.setSystemTime(Date.now() + seconds * 1000)
    },
    setDeviceClock: (aheadSeconds) => void vi.setSystemTime(trueMs + aheadSeconds * 1000),
    access: { baseUrl: app.url, token: () => token, retry: testRetry, ports: { fetch: noting, clock } },
    token,
    calls: () => calls,
    deathsMs: () => deathsMs,
    async quiet() {
      do {
        await Promise.all(underWay)
        // Who waited for the answer has it a moment later, and may ask again.
        await new Promise((resolve) => setImmediate(resolve))
      } while (underWay.size > 0)
    },
    connect(options) {
      const oss: AliOss = new OSS(options as OSS.Options)
      const { urllib } = oss
      const tokens = new Set<string>()
      const urls: string[] = []
      oss.urllib = {
        request(url: string, params: { headers: Record<string, string> }) {
          tokens.add(params.headers['x-oss-security-token'] ?? '')
          urls.push(url)
          return urllib.request(url, params)
        },
      }
      return { oss, tokens, urls }
    },
    async file(bytes) {
      const path = join(directory, `${++files}.bin`)
      await writeFile(path, bytes)
      return path
    },
    refusals() {
      const { requests } = app.cloud
      return Object.keys(requests.all()).reduce((sum, verb) => sum + requests.countAnswered(verb, 403), 0)
    },
    reset() {
      wait(3600)
      vi.setSystemTime(trueMs)
      app.cloud.faults.clear()
      app.cloud.requests.reset()
      calls = []
      deathsMs = []
    },
    async close() {
      await app.close()
      await rm(directory, { recursive: true, force: true })
      vi.useRealTimers()
    },
  }
}
