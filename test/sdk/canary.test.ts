import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { createDirectoryRecordStore, type UploadOptions, type UploadTask } from '@partway/client/node'
import { afterEach, describe, expect, it } from 'vitest'
import type { FaultEffect } from '../../server/local-cloud/faults.ts'
import { assertNoLeak, protect, watch } from '../support/secret-watch.ts'
import { MiB, startUploadBench, type UploadBench, until } from './upload-bench.ts'

/* What the SDK tells its caller and keeps on disk holds no secret: errors with all they carry, what is shown of a task, records. */

const canary = 'cAnArY-0123456789-cAnArY'
let bench: UploadBench
afterEach(() => bench.close())

async function start(): Promise<void> {
  bench = await startUploadBench()
}

function clientWith(token: () => string = () => bench.app.token({ scopes: ['uploads', 'credentials'] })) {
  return bench.clientWith({ token, retry: { baseMs: 1, capMs: 5, maxAttempts: 3, budgetMs: 2_000 } })
}

/** The error a task ends with, as the most talkative logger would print it. */
async function printed(task: UploadTask): Promise<string> {
  const error: unknown = await task.done.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  )
  return `${inspect(error, { depth: 20, showHidden: true })} ${JSON.stringify(error)} ${String((error as Error).stack)}`
}

async function recordsIn(directory: string): Promise<string> {
  const names = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile())
  const texts = await Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name), 'utf8')))
  return texts.join('\n')
}

const modes = ['presigned', 'sts'] as const
const refusals: Record<string, FaultEffect> = {
  SignatureDoesNotMatch: { kind: 'answer', status: 403, code: 'SignatureDoesNotMatch' },
  AccessDenied: { kind: 'answer', status: 403, code: 'AccessDenied' },
  InternalError: { kind: 'answer', status: 500, code: 'InternalError' },
  'a cut connection': { kind: 'cut', at: 'start' },
}

describe.each(modes)('in mode %s', (mode) => {
  it.each(Object.keys(refusals))('an upload that ends by %s tells and keeps no secret', async (name) => {
    await start()
    const effect = refusals[name]
    if (!effect) throw new Error('no such refusal')
    bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, after: 1, effect })
    const directory = join(bench.directory, 'records')
    const path = await bench.file(3 * MiB)
    const options: UploadOptions = {
      mode,
      parallel: 1,
      partSizeBytes: MiB,
      recordStore: createDirectoryRecordStore(directory),
    }
    const task = clientWith().upload(path, options)
    await until(() => bench.app.cloud.requests.countAnswered('UploadPart', 200) > 0, 'a part is stored')
    watch('a task under way', inspect(task, { depth: 6 }))
    const text = await printed(task)
    expect(text).not.toContain('it did not fail')
    watch('the error', text)
    const records = await recordsIn(directory)
    expect(records).toContain('upl_')
    watch('a record', records)
    assertNoLeak()
  })

  it('a token that is refused, or is none, is not told', async () => {
    await start()
    const path = await bench.file(1)
    for (const token of [canary, `${canary}\n`, `${bench.app.token()}x`]) {
      protect(token.trim())
      watch('the error', await printed(clientWith(() => token).upload(path, { mode })))
    }
    watch(
      'the error',
      await printed(
        clientWith(() => {
          throw new Error('the caller’s own')
        }).upload(path, { mode }),
      ),
    )
    assertNoLeak()
  })
})
