import { problems, type UploadState, uploadStates } from '@partway/client/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { endedCode, stateAnswers, type UploadOperation } from '../../server/uploads/upload-state.ts'
import { type Api, createApi, createFor, MiB, sendParts, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

/* Every operation in every state, from the table that the server itself goes by. */

let app: TestApp
let api: Api

beforeAll(async () => {
  app = await startTestApp()
  api = createApi(app.url, app.token({ subject: 'alice', scopes: ['uploads', 'credentials'] }))
})
afterAll(() => app.close())

const bodies: Partial<Record<UploadOperation, unknown>> = {
  grantParts: { parts: [{ partNumber: 1 }] },
  saveCheckpoint: { parts: [{ partNumber: 1 }] },
  completeUpload: {},
}

const successes: Record<UploadOperation, (state: UploadState) => number[]> = {
  getUpload: () => [200],
  listParts: () => [200],
  grantParts: () => [200],
  grantCredentials: () => [200],
  saveCheckpoint: () => [200],
  completeUpload: (state) => (state === 'completing' ? [200, 202] : [200]),
  abortUpload: () => [200],
}

/** An upload with all its parts sent, put into `state` with a lease that is alive. */
async function uploadIn(state: UploadState, abortReason: 'user' | 'expired' = 'user'): Promise<string> {
  const bytes = someBytes(MiB + 1)
  const upload = await createFor(api, bytes)
  await sendParts(api, upload, bytes)
  if (state === 'completed') {
    await api('completeUpload', { id: upload.id, body: {} })
    return upload.id
  }
  const isEnding = state === 'aborting' || state === 'aborted'
  await app.deps.db.prisma.upload.update({
    where: { id: upload.id },
    data: {
      state,
      dueAt: state === 'uploading' ? null : new Date(Date.now() + 30_000),
      abortReason: isEnding ? abortReason : null,
      ossUploadId: state === 'pending' ? null : (upload.uploadId ?? null),
    },
  })
  return upload.id
}

describe.each(Object.keys(stateAnswers) as UploadOperation[])('%s', (operation) => {
  it.each(uploadStates)('answers as the table says while %s', async (state) => {
    const answer = stateAnswers[operation][state]
    const id = await uploadIn(state)
    // Complete waits for whoever is completing; its lease ends soon enough for the test to see the outcome.
    if (operation === 'completeUpload' && state === 'completing') {
      await app.deps.db.prisma.upload.update({ where: { id }, data: { dueAt: new Date(Date.now() + 500) } })
    }
    const reply = await api(operation, { id, ...(bodies[operation] ? { body: bodies[operation] } : {}) })
    if (answer === 'serve') {
      expect(successes[operation](state)).toContain(reply.status)
    } else {
      const code = answer === 'ended' ? endedCode('user') : answer
      expect([reply.status, reply.body.code]).toEqual([problems[code].status, code])
    }
  })

  const endedStates = (['aborting', 'aborted'] as const).filter((state) => stateAnswers[operation][state] === 'ended')
  it.runIf(endedStates.length > 0).each(endedStates)(
    'says of an expired upload that it expired, while %s',
    async (state) => {
      const id = await uploadIn(state, 'expired')
      const reply = await api(operation, { id, ...(bodies[operation] ? { body: bodies[operation] } : {}) })
      expect([reply.status, reply.body.code]).toEqual([410, 'upload-expired'])
    },
  )

  it('answers for somebody else’s upload exactly as for one that never was', async () => {
    const id = await uploadIn('uploading')
    // Of the same tenant: not even a colleague reaches it.
    const stranger = createApi(
      app.url,
      app.token({ subject: 'mallory', tenant: 'alice', scopes: ['uploads', 'credentials'] }),
    )
    const call = (upload: string) =>
      stranger(operation, { id: upload, ...(bodies[operation] ? { body: bodies[operation] } : {}) })
    const theirs = await call(id)
    const nobodys = await call(`upl_${'0'.repeat(32)}`)
    expect([theirs.status, theirs.body.code]).toEqual([404, 'upload-not-found'])
    const withoutInstance = ({ instance: _, ...body }: Record<string, unknown>) => body
    expect(withoutInstance(theirs.body)).toEqual(withoutInstance(nobodys.body))
  })
})

describe('the table of states', () => {
  it('says exactly this', () => {
    const letters = { serve: 's', ended: 'e', 'upload-state-conflict': 'c' } as const
    const rows = Object.entries(stateAnswers).map(
      ([operation, row]) => `${operation} ${uploadStates.map((state) => letters[row[state]]).join('')}`,
    )
    // s: served, e: 410, c: 409; in the order pending, uploading, completing, completed, aborting, aborted.
    expect(rows).toEqual([
      'getUpload ssssss',
      'listParts csccee',
      'grantParts csccee',
      'grantCredentials csccee',
      'saveCheckpoint csccee',
      'completeUpload csssee',
      'abortUpload ssccss',
    ])
  })
})

describe('the states', () => {
  it('can be left only as drawn: the database refuses a state without what it needs', async () => {
    const id = await uploadIn('uploading')
    const set = (data: object) => app.deps.db.prisma.upload.update({ where: { id }, data })
    await expect(set({ state: 'nonsense' })).rejects.toThrow()
    await expect(set({ state: 'completing', dueAt: null })).rejects.toThrow()
    await expect(set({ state: 'aborting', dueAt: new Date() })).rejects.toThrow()
    await expect(set({ state: 'completed' })).rejects.toThrow()
  })
})
