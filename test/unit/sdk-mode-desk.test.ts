import { ClientException, defaultRetryPolicy, type UploadApi, type UploadMode } from '@partway/client'
import { planParts } from '@partway/client/contract'
import { systemClock } from '@partway/client/node'
import { describe, expect, it } from 'vitest'
import { createModeDesk } from '../../client-sdk/mode-desk.ts'
import { createRunGate } from '../../client-sdk/run-gate.ts'

const md5 = 'XrY7u+Ae7tCTyyK7j1rNww=='

/** A server that presigns, and has no credentials to give for the reasons in `failures`, in turn. */
function deskOf(mode: UploadMode, failures: (() => Error)[]) {
  const notices: string[] = []
  const asked: { timeoutMs: number | undefined; maxAttempts: number | undefined }[] = []
  const api = {
    async grantCredentials(_id, { timeoutMs, retry } = {}) {
      asked.push({ timeoutMs, maxAttempts: retry?.maxAttempts })
      throw (failures[asked.length - 1] ?? failures.at(-1))?.()
    },
    async grantParts(_id, parts) {
      return {
        grants: parts.map(({ partNumber }) => ({
          partNumber,
          method: 'PUT' as const,
          url: `https://presigned.example.com/${partNumber}`,
          headers: {},
          sizeBytes: 1,
          expiresAt: '2026-01-01T00:00:00.000Z',
        })),
      }
    },
  } satisfies Pick<UploadApi, 'grantCredentials' | 'grantParts'>
  const desk = createModeDesk({
    api: api as unknown as UploadApi,
    id: 'upl_1',
    plan: planParts(5_000_000, 1_048_576),
    mode,
    retry: defaultRetryPolicy,
    clock: systemClock,
    serverClock: { nowMs: () => Date.now(), learn() {} },
    notify: (notice) => void notices.push(notice.type),
    gate: createRunGate(),
    signal: new AbortController().signal,
  })
  return { asked, notices, ask: (partNumber: number) => desk.ask({ partNumber, md5 }) }
}

const timeout = () => new ClientException('timeout', 'The server did not answer')
const network = () => new ClientException('network', 'The server cannot be reached')

describe('mode auto', () => {
  it('does not wait long for credentials that never come: one attempt, of limited time, then presigned URLs', async () => {
    const { ask, asked, notices } = deskOf('auto', [timeout])
    const grants = await Promise.all([1, 2, 3].map(ask))
    expect(grants.map(({ url }) => new URL(url).host)).toEqual(Array(3).fill('presigned.example.com'))
    expect(asked).toEqual([{ timeoutMs: 15_000, maxAttempts: 1 }])
    expect(notices).toEqual(['mode-changed'])
  })

  it('waits for a server that cannot be reached, by the retry policy, before it changes', async () => {
    const { ask, asked } = deskOf('auto', [network])
    await ask(1)
    expect(asked).toEqual([
      { timeoutMs: 15_000, maxAttempts: 1 },
      { timeoutMs: undefined, maxAttempts: undefined },
    ])
  })
})

describe('mode sts', () => {
  it('asks for credentials by the retry policy, and fails when it is used up', async () => {
    const { ask, asked, notices } = deskOf('sts', [timeout])
    await expect(ask(1)).rejects.toMatchObject({ code: 'timeout' })
    expect(asked).toEqual([{ timeoutMs: undefined, maxAttempts: undefined }])
    expect(notices).toEqual([])
  })
})
