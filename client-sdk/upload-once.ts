import { linkSignals, runTogether, withGrace } from './abort-link.ts'
import { type BufferPool, createBufferPool } from './buffer-pool.ts'
import type { ByteSource } from './byte-source.ts'
import { createCheckpointer } from './checkpointer.ts'
import { confirmFinished } from './confirm-finished.ts'
import { isPlannedPart, partSize } from './contract/part-plan.ts'
import type { Upload } from './contract/upload.ts'
import { ClientException } from './errors.ts'
import { finishUpload, refusedParts } from './finish-upload.ts'
import { buffersFor, grantedOf, prepareFirstParts } from './first-parts.ts'
import { createGrantAges } from './grant-age.ts'
import { createGrantDesk } from './grant-desk.ts'
import { openSession, planOf, type Session } from './open-session.ts'
import { createPartLedger, type PartLedger } from './part-ledger.ts'
import type { PreparedPart } from './prepared-part.ts'
import type { SafeRecord } from './safe-record.ts'
import { type SendPartsDeps, sendParts } from './send-parts.ts'
import { partsOtherThan, partsThatDiffer } from './stored-parts.ts'
import { askFate, fateOf, UploadEnded, UploadFinished } from './upload-fate.ts'
import type { UploadFileDeps, UploadRun } from './upload-file.ts'
import type { ResolvedOptions } from './upload-options.ts'
import { verifySource } from './verify-source.ts'

/** Times a refused completion is cured by sending the parts it names. */
const maxResendRounds = 5
const createGraceMs = 900

export interface OnceDeps extends UploadFileDeps {
  options: ResolvedOptions
  run: UploadRun
  source: ByteSource
  fingerprint: string
  record: SafeRecord
  useRecord: boolean
}

/**
 * One upload of one source from create or resume to the finished object. Throws UploadEnded when the upload it worked on ended without
 * one and another may be begun.
 */
export async function uploadOnce(deps: OnceDeps): Promise<{ upload: Upload; crc64: bigint }> {
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
        onUpload(upload) {
          run.upload = upload
        },
        onRecordEnded: (previousId, reason) => run.notify({ type: 'restarted', previousId, reason }),
      },
      link.signal,
    )
    ledger = createPartLedger(session.plan)
    return await sendAndFinish(deps, session, ledger, first, buffers, link.signal)
  } catch (error) {
    if (link.signal.aborted || !run.upload) throw error
    const isOver = error instanceof UploadFinished || error instanceof UploadEnded
    const fate = isOver ? error : await fateOf(deps.api, run.upload.id, error, link.signal)
    if (fate instanceof UploadFinished) {
      ledger ??= createPartLedger(planOf(run.upload, source.sizeBytes))
      run.notify({ type: 'resumed', id: run.upload.id, restoredBytes: source.sizeBytes })
      run.meter.begin(source.sizeBytes)
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

async function sendAndFinish(
  deps: OnceDeps,
  session: Session,
  ledger: PartLedger,
  first: PreparedPart[],
  firstBuffers: BufferPool,
  signal: AbortSignal,
): Promise<{ upload: Upload; crc64: bigint }> {
  const { api, options, run, source } = deps
  const { id } = session.upload
  const { plan, storedParts } = session
  const stored = new Set(storedParts.map((part) => part.partNumber))
  const isSamePlan = first.length > 0 && first[0]?.body.sizeBytes === partSize(plan, 1)
  const ready = isSamePlan ? grantedOf(first, session.grants, stored) : []
  const readyNumbers = new Set(ready.map((part) => part.partNumber))
  for (const part of first) if (!readyNumbers.has(part.partNumber)) part.release()

  const ages = createGrantAges(deps.serverClock)
  for (const { grant } of ready) ages.received(grant)
  const desk = createGrantDesk(api, id, signal)
  const checkpointer = createCheckpointer(
    (parts) => api.saveCheckpoint(id, parts, { signal: run.checkpointSignal, timeoutMs: 10_000, retry: noRetry }),
    deps.clock,
  )
  run.checkpointer = checkpointer
  const sending: SendPartsDeps = {
    ...deps,
    plan,
    ledger,
    checkpointer,
    ages,
    buffers: isSamePlan ? firstBuffers : buffersFor(plan, options.parallel),
    parallel: options.parallel,
    retry: options.retry,
    stallTimeoutMs: options.stallTimeoutMs,
    gate: run.gate,
    meter: run.meter,
    onMoved: run.reports.moved,
    onRetry: run.notify,
    onUploadMissing: () => askFate(api, id, signal),
    grants: {
      async ask(part) {
        const grant = await desk.ask(part)
        ages.received(grant)
        return grant
      },
    },
  }

  const restoredBytes = storedParts.reduce((sum, part) => sum + part.sizeBytes, 0)
  if (session.isResumed) run.notify({ type: 'resumed', id, restoredBytes })
  run.meter.begin(restoredBytes)
  run.reports.now()
  run.setPhase('sending')
  let isVerified = false
  await runTogether(signal, [
    async (together) => {
      await sendParts(sending, partsOtherThan(plan, stored, readyNumbers), ready, together)
      if (!isVerified) run.setPhase('verifying')
    },
    async (together) => {
      await verifySource({ ...deps, gate: run.gate, ledger }, storedParts, together)
      isVerified = true
    },
  ])

  for (let round = 0; ; round += 1) {
    await run.gate.opened(signal)
    await source.checkUnchanged()
    // What an earlier run or another device has claimed must not stand against what is stored now.
    if (session.isResumed || round > 0) await checkpointer.flush()
    run.setPhase('completing')
    const crc64 = ledger.wholeCrc64()
    try {
      const finishing = { api, clock: deps.clock, completeTimeoutMs: options.completeTimeoutMs }
      return { upload: await finishUpload(finishing, id, crc64, signal), crc64 }
    } catch (error) {
      const refused = refusedParts(error)
      if (!refused || round >= maxResendRounds) throw error
      const named = refused.length > 0 ? refused : await partsThatDiffer(api, id, ledger, signal)
      const numbers = named.filter((number) => isPlannedPart(plan, number))
      if (numbers.length === 0) throw error
      run.setPhase('sending')
      run.meter.lost(numbers.reduce((sum, number) => sum + partSize(plan, number), 0))
      await sendParts(sending, numbers, [], signal)
    }
  }
}

/** A failed checkpoint is not repeated: the next one says the same and more. */
const noRetry = { baseMs: 0, capMs: 0, maxAttempts: 1, budgetMs: 0 }
