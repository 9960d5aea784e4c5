import type { Clock } from './clock.ts'
import type { PartGrant, StoredPart } from './contract/part.ts'
import { MAX_PART_BYTES, MIN_PART_BYTES, type PartPlan, planParts } from './contract/part-plan.ts'
import type { Upload } from './contract/upload.ts'
import { ClientException, invalidReply, isServerProblem } from './errors.ts'
import type { PreparedPart } from './prepared-part.ts'
import { singleAttempt } from './retry.ts'
import type { SafeRecord } from './safe-record.ts'
import { listStoredParts } from './stored-parts.ts'
import type { UploadApi } from './upload-api.ts'
import { type EndReason, throwIfOver } from './upload-fate.ts'
import type { ResolvedOptions } from './upload-options.ts'

/** An upload the server knows, and what OSS holds of it. */
export interface Session {
  upload: Upload
  /** From the stored part size, whatever the options say. */
  plan: PartPlan
  isResumed: boolean
  /**
   * False when only the server's memory of the fingerprint led here: the upload may be one of another file, and nothing may be sent into
   * it, nor may it be aborted, before its parts were compared with the source.
   */
  isOurs: boolean
  /** Parts of the planned size. Others are sent again. */
  storedParts: StoredPart[]
  /** For the parts that were prepared before the upload was created, if the server accepted their size. */
  grants: PartGrant[]
}

/** Undefined when it was not to be had at the first attempt. */
type PartsPage = Promise<Awaited<ReturnType<UploadApi['listParts']>> | undefined>

export interface OpenSessionDeps {
  api: UploadApi
  clock: Clock
  options: ResolvedOptions
  record: SafeRecord
  /** False once the record has led nowhere: a store that cannot delete must not lead there again. */
  useRecord: boolean
  file: { name: string; sizeBytes: number; contentType?: string | undefined; fingerprint: string }
  /** The upload somebody else here worked on until a moment ago. */
  seenId?: string | undefined
  /** Makes the upload this task's own; false while another task or tab, which took its file for the same, works on it. */
  claim(id: string, isFound?: boolean): Promise<boolean>
  /** Prepares the first parts, so that their grants come with the create call. */
  prepareFirst(plan: PartPlan): Promise<PreparedPart[]>
  /** For the create call: aborts a moment after a cancel, so that an upload just created is known and can be aborted. */
  createSignal: AbortSignal
  /** The upload exists from here on: a cancel has something to abort if it `isOurs`. */
  onUpload(upload: Upload, isOurs: boolean): void
  /** The recorded upload cannot be gone on with; another one is begun or found. */
  onRecordEnded(id: string, reason: EndReason): void
}

/**
 * Finds the upload to go on with, by the record or by the server's memory, or creates one. Throws UploadFinished when the recorded
 * upload is completed, and UploadEnded when the one that was found ends meanwhile.
 */
export async function openSession(deps: OpenSessionDeps, signal: AbortSignal): Promise<Session> {
  const recorded = deps.useRecord ? await findRecorded(deps, signal) : undefined
  if (recorded) return { ...(await resumed(deps, recorded.upload, signal, recorded.firstPage)), isOurs: true }

  const { file, options } = deps
  const plan = planParts(file.sizeBytes, options.partSizeBytes)
  const first = await deps.prepareFirst(plan)
  let { resume } = options
  let created = await create(deps, plan, first, resume)
  while (!(await deps.claim(created.upload.id, !created.isNew))) {
    // An equal file is being sent into that one, or found this one and was quicker to claim it: two files deserve two objects.
    resume = false
    created = await create(deps, plan, first, resume)
  }
  const { upload, grants, isNew } = created
  // Without `resume` the key led here, which nobody else has.
  const isOurs = isNew || !resume
  deps.onUpload(upload, isOurs)
  signal.throwIfAborted()
  if (isOurs) await deps.record.save(upload.id)
  if (!isNew) return { ...(await resumed(deps, upload, signal)), isOurs, grants }
  return { upload, plan: planOf(upload, file.sizeBytes), isResumed: false, isOurs, storedParts: [], grants }
}

function create(deps: OpenSessionDeps, plan: PartPlan, first: PreparedPart[], resume: boolean) {
  const { file, options } = deps
  return deps.api.createUpload(
    {
      fileName: file.name,
      sizeBytes: file.sizeBytes,
      partSizeBytes: plan.partSizeBytes,
      fingerprint: file.fingerprint,
      ...(resume ? { resume: true } : {}),
      ...(file.contentType === undefined ? {} : { contentType: file.contentType }),
      ...(options.metadata === undefined ? {} : { metadata: options.metadata }),
      ...(options.callback === undefined ? {} : { callback: options.callback }),
      // In mode `sts` no URL of the server's is used.
      ...(options.mode === 'sts'
        ? {}
        : { parts: first.map(({ partNumber, digest }) => ({ partNumber, md5: digest.md5 })) }),
    },
    // Without `resume` only the key makes a repeated create find what the lost answer was about.
    { signal: deps.createSignal, ...(resume ? {} : { idempotencyKey: randomKey() }) },
  )
}

/** The upload the record names, or another task has worked on, if it is about this file and still alive or finished. Otherwise the caller is told, and it is forgotten. */
async function findRecorded(
  deps: OpenSessionDeps,
  signal: AbortSignal,
): Promise<{ upload: Upload; firstPage: PartsPage } | undefined> {
  const recordedId = (await deps.record.load())?.id
  const id = recordedId ?? deps.seenId
  if (id === undefined || !(await deps.claim(id))) return undefined
  // Nearly always the upload is open and its parts are wanted: asked for together, they cost one round trip.
  const once = { signal, retry: singleAttempt, onRetry: () => {} }
  const firstPage: PartsPage = deps.api.listParts(id, { after: 0 }, once).catch(() => undefined)
  let reason: EndReason
  try {
    let { upload } = await deps.api.getUpload(id, { signal })
    // Either question may be the one on which the server takes up an upload that somebody left behind half completed.
    if (upload.state === 'completing' && (await firstPage)) upload = (await deps.api.getUpload(id, { signal })).upload
    const isOurs = upload.fingerprint === deps.file.fingerprint && upload.sizeBytes === deps.file.sizeBytes
    if (!isOurs) return undefined
    if (upload.state !== 'aborting' && upload.state !== 'aborted') {
      deps.onUpload(upload, true)
      return { upload, firstPage }
    }
    reason = upload.abortReason ?? 'upload-gone'
    if (id === deps.seenId && reason === 'user') {
      throw new ClientException('upload-ended', 'The upload was cancelled by the tab or task that was sending it')
    }
  } catch (error) {
    if (!isServerProblem(error) || error.code !== 'upload-not-found') throw error
    reason = 'not-found'
  }
  deps.onRecordEnded(id, reason)
  return undefined
}

async function resumed(
  deps: OpenSessionDeps,
  found: Upload,
  signal: AbortSignal,
  firstPage?: PartsPage,
): Promise<Omit<Session, 'isOurs'>> {
  const upload = await whilePending(deps, found, signal)
  throwIfOver(upload)
  const plan = planOf(upload, deps.file.sizeBytes)
  const page = await firstPage
  const storedParts = plan.partCount === 0 ? [] : await listStoredParts(deps.api, upload.id, plan, signal, page)
  return { upload, plan, isResumed: true, storedParts, grants: [] }
}

/** Another process may be creating the very upload; the server finishes that within its lease of 30 s if the process has died. */
async function whilePending(deps: OpenSessionDeps, found: Upload, signal: AbortSignal): Promise<Upload> {
  let upload = found
  for (let waited = 0; upload.state === 'pending'; waited += 1) {
    if (waited === 90) throw new ClientException('timeout', 'The upload is still being created by somebody else')
    await deps.clock.sleep(Math.min(1000, 100 * (waited + 1)), signal)
    upload = (await deps.api.getUpload(upload.id, { signal })).upload
  }
  return upload
}

/** The plan of a known upload. Throws ClientException `invalid-reply` when it is not one for `sizeBytes`. */
export function planOf(upload: Upload, sizeBytes: number): PartPlan {
  const isPossible = upload.partSizeBytes >= MIN_PART_BYTES && upload.partSizeBytes <= MAX_PART_BYTES
  if (!isPossible) throw invalidReply('the upload has parts of an impossible size')
  const plan = planParts(sizeBytes, upload.partSizeBytes)
  const isAgreed = upload.sizeBytes === sizeBytes && upload.partCount === plan.partCount
  if (!isAgreed) throw invalidReply('the upload is of another size')
  return plan
}

function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
