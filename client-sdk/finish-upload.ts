import type { Clock } from './clock.ts'
import type { Reply } from './contract/endpoints.ts'
import { ClientException, isServerProblem } from './errors.ts'
import type { UploadApi } from './upload-api.ts'
import { fateOf, throwIfOver, UploadEnded, UploadFinished } from './upload-fate.ts'

export interface FinishDeps {
  api: UploadApi
  clock: Clock
  completeTimeoutMs: number
}

/** A completed upload, and what came of its callback. */
export type Finished = Reply<'completeUpload'>

/** The first answer after 202 is waited for this long, later ones up to the cap. */
const firstPollMs = 250
const pollCapMs = 5000

/**
 * Asks the server to join the parts until it has: asking again drives a half-done completion on. Throws UploadEnded when the upload
 * ended otherwise, ClientException `timeout` when OSS takes too long, and the server's problems, `parts-missing` and `part-mismatch`
 * among them.
 */
export async function finishUpload(
  deps: FinishDeps,
  id: string,
  crc64: bigint,
  signal: AbortSignal,
): Promise<Finished> {
  const startedAtMs = deps.clock.nowMs()
  for (let polls = 0; ; polls += 1) {
    const reply = await complete(deps, id, crc64, signal)
    const upload = reply?.upload
    // A server of before knows no callbacks.
    if (upload?.state === 'completed') return { upload, callbackResult: reply?.callbackResult ?? null }
    if (upload?.state === 'aborting' || upload?.state === 'aborted') throwIfOver(upload)
    if (deps.clock.nowMs() - startedAtMs > deps.completeTimeoutMs) {
      throw new ClientException(
        'timeout',
        'OSS has not joined the parts in time; run the upload again to go on waiting',
      )
    }
    await deps.clock.sleep(Math.min(pollCapMs, firstPollMs * 2 ** Math.min(polls, 10)), signal)
  }
}

async function complete(
  deps: FinishDeps,
  id: string,
  crc64: bigint,
  signal: AbortSignal,
): Promise<Finished | undefined> {
  try {
    return await deps.api.completeUpload(id, { crc64: crc64.toString() }, { signal })
  } catch (error) {
    const fate = await fateOf(deps.api, id, error, signal)
    if (fate instanceof UploadEnded) throw fate
    if (fate instanceof UploadFinished) return undefined
    throw error
  }
}

/** The parts a refused completion names, or undefined when `error` is something else. */
export function refusedParts(error: unknown): number[] | undefined {
  if (!isServerProblem(error) || (error.code !== 'parts-missing' && error.code !== 'part-mismatch')) return undefined
  return error.problem?.parts?.map((part) => part.partNumber) ?? []
}
