import { linkSignals, withGrace } from './abort-link.ts'
import { createBufferPool } from './buffer-pool.ts'
import type { ByteSource } from './byte-source.ts'
import { confirmFinished } from './confirm-finished.ts'
import { ClientException } from './errors.ts'
import { finishSession } from './finish-session.ts'
import type { Finished } from './finish-upload.ts'
import { buffersFor, prepareFirstParts } from './first-parts.ts'
import { openSession, planOf } from './open-session.ts'
import { createPartLedger, type PartLedger } from './part-ledger.ts'
import type { PreparedPart } from './prepared-part.ts'
import type { SafeRecord } from './safe-record.ts'
import { partsOtherThan } from './stored-parts.ts'
import { fateOf, UploadEnded, UploadFinished } from './upload-fate.ts'
import type { UploadFileDeps, UploadRun } from './upload-file.ts'
import type { ResolvedOptions } from './upload-options.ts'

/** How long after a cancel the answer to the create call is waited for: it says what to abort. */
const createGraceMs = 900

export interface OnceDeps extends UploadFileDeps {
  options: ResolvedOptions
  run: UploadRun
  source: ByteSource
  fingerprint: string
  record: SafeRecord
  useRecord: boolean
  seenId: string | undefined
  claim(id: string, isFound?: boolean): Promise<boolean>
}

/**
 * One upload of one source from create or resume to the finished object. Throws UploadEnded when the upload it worked on ended without
 * one and another may be begun.
 */
export async function uploadOnce(deps: OnceDeps): Promise<Finished & { crc64: bigint }> {
  const { options, run, source } = deps
  const link = linkSignals(run.signal)
  const grace = withGrace(run.signal, createGraceMs)
  let first: PreparedPart[] = []
  let buffers = createBufferPool(0, 0)
  let ledger: PartLedger | undefined
  try {
    const session = await openSession(
      {
        ...deps,
        createSignal: grace.signal,
        file: {
          name: options.fileName ?? source.name,
          sizeBytes: source.sizeBytes,
          contentType: options.contentType ?? source.contentType,
          fingerprint: deps.fingerprint,
        },
        async prepareFirst(plan) {
          buffers = buffersFor(plan, options.parallel)
          first = await prepareFirstParts({ ...deps, plan, buffers }, options.parallel, link.signal)
          return first
        },
        onUpload(upload, isOurs) {
          run.upload = upload
          run.isOurs = isOurs
        },
        onRecordEnded: (previousId, reason) => run.notify({ type: 'restarted', previousId, reason }),
      },
      link.signal,
    )
    ledger = createPartLedger(session.plan)
    return await finishSession(deps, session, ledger, { parts: first, buffers }, link.signal)
  } catch (error) {
    if (link.signal.aborted || !run.upload) throw error
    const isOver = error instanceof UploadFinished || error instanceof UploadEnded
    const fate = isOver ? error : await fateOf(deps.api, run.upload.id, error, link.signal)
    if (fate instanceof UploadFinished) {
      ledger ??= createPartLedger(planOf(run.upload, source.sizeBytes))
      run.notify({ type: 'resumed', id: run.upload.id, restoredBytes: source.sizeBytes })
      const { plan } = ledger
      run.meter.begin(source.sizeBytes, { plan, partNumbers: partsOtherThan(plan) })
      run.reports.now()
      return await confirmFinished(deps, run.upload.id, ledger, link.signal)
    }
    if (fate?.reason === 'user' && ledger) throw new ClientException('upload-ended', 'The upload was aborted elsewhere')
    throw fate ?? error
  } finally {
    link.abort(new Error('this run is over'))
    link.release()
    grace.release()
  }
}
