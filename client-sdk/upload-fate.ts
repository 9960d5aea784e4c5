import type { Upload } from './contract/upload.ts'
import { isServerProblem } from './errors.ts'
import type { UploadApi } from './upload-api.ts'

/** Why an upload cannot go on: its abort reason, unknown to the server, or of another content than the source's. */
export type EndReason = NonNullable<Upload['abortReason']> | 'not-found' | 'other-content'

/** The upload has ended without an object. Internal: callers see a notice and a fresh start, or `upload-ended`. */
export class UploadEnded extends Error {
  readonly reason: EndReason

  constructor(reason: EndReason) {
    super(`The upload has ended: ${reason}`)
    this.name = 'UploadEnded'
    this.reason = reason
  }
}

/** Somebody else, another process or tab, has finished the upload or is about to. */
export class UploadFinished extends Error {
  constructor() {
    super('The upload has been finished elsewhere')
    this.name = 'UploadFinished'
  }
}

/** Throws UploadEnded or UploadFinished for an upload that takes no more parts; returns otherwise. */
export function throwIfOver(upload: Upload): void {
  if (upload.state === 'aborting' || upload.state === 'aborted')
    throw new UploadEnded(upload.abortReason ?? 'upload-gone')
  if (upload.state === 'completing' || upload.state === 'completed') throw new UploadFinished()
}

/** Asks the server, and through it OSS, what became of an upload. Throws like {@link throwIfOver}; returns when it lives. */
export async function askFate(api: Pick<UploadApi, 'getUpload'>, id: string, signal: AbortSignal): Promise<void> {
  try {
    const { upload } = await api.getUpload(id, { reconcile: true, signal })
    throwIfOver(upload)
  } catch (error) {
    throw (await fateOf(api, id, error, signal)) ?? error
  }
}

/** What a refusal by the server says about the upload, or undefined when it says nothing. */
export async function fateOf(
  api: Pick<UploadApi, 'getUpload'>,
  id: string,
  error: unknown,
  signal: AbortSignal,
): Promise<UploadEnded | UploadFinished | undefined> {
  if (!isServerProblem(error)) return undefined
  if (error.code === 'upload-not-found') return new UploadEnded('not-found')
  if (error.code === 'upload-expired') return new UploadEnded('expired')
  if (error.code === 'upload-gone') return new UploadEnded((await abortReasonOf(api, id, signal)) ?? 'upload-gone')
  if (error.code !== 'upload-state-conflict') return undefined
  const { upload } = await api.getUpload(id, { signal })
  try {
    throwIfOver(upload)
  } catch (over) {
    if (over instanceof UploadEnded || over instanceof UploadFinished) return over
  }
  return undefined
}

async function abortReasonOf(api: Pick<UploadApi, 'getUpload'>, id: string, signal: AbortSignal) {
  try {
    return (await api.getUpload(id, { signal })).upload.abortReason
  } catch {
    return null
  }
}
