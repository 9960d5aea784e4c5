import { runTogether } from './abort-link.ts'
import type { BufferPool } from './buffer-pool.ts'
import { isPlannedPart, partSize } from './contract/part-plan.ts'
import { ClientException } from './errors.ts'
import { type Finished, finishUpload, refusedParts } from './finish-upload.ts'
import { buffersFor } from './first-parts.ts'
import type { Session } from './open-session.ts'
import type { PartLedger } from './part-ledger.ts'
import type { PreparedPart } from './prepared-part.ts'
import { createSessionSender, type SessionSender } from './session-sender.ts'
import { partsOtherThan, partsThatDiffer } from './stored-parts.ts'
import { UploadEnded } from './upload-fate.ts'
import type { OnceDeps } from './upload-once.ts'
import { verifySource } from './verify-source.ts'

/** Times a refused completion is cured by sending the parts it names. */
const maxResendRounds = 5

/** Sends what is missing while comparing what is stored, then completes. `first` are the parts prepared for the create call. */
export async function finishSession(
  deps: OnceDeps,
  session: Session,
  ledger: PartLedger,
  first: { parts: PreparedPart[]; buffers: BufferPool },
  signal: AbortSignal,
): Promise<Finished & { crc64: bigint }> {
  const { options, run } = deps
  const { plan, storedParts } = session
  const stored = new Set(storedParts.map((part) => part.partNumber))
  const isSamePlan = first.parts.length > 0 && first.parts[0]?.body.sizeBytes === partSize(plan, 1)
  const prepared = isSamePlan ? first.parts.filter((part) => !stored.has(part.partNumber)) : []
  for (const part of first.parts) if (!prepared.includes(part)) part.release()

  const buffers = isSamePlan ? first.buffers : buffersFor(plan, options.parallel)
  const sender = createSessionSender(deps, session, ledger, buffers, signal)
  run.checkpointer = sender.checkpointer

  const restoredBytes = storedParts.reduce((sum, part) => sum + part.sizeBytes, 0)
  if (session.isResumed) run.notify({ type: 'resumed', id: session.upload.id, restoredBytes })
  run.meter.begin(restoredBytes, { plan, partNumbers: stored })
  run.reports.now()
  if (!session.isOurs) await claimSession(deps, session, ledger, signal)
  run.setPhase('sending')
  const ready = await sender.grantAll(prepared, session.grants)
  const readyNumbers = new Set(ready.map((part) => part.partNumber))
  let isVerified = !session.isOurs
  await runTogether(signal, [
    async (together) => {
      await sender.send(partsOtherThan(plan, stored, readyNumbers), ready, together)
      if (!isVerified) run.setPhase('verifying')
    },
    async (together) => {
      if (isVerified) return
      // Hashing stored parts beside the first new one would keep its first byte waiting.
      await sender.begun
      await verifySource({ ...deps, gate: run.gate, ledger }, storedParts, together)
      isVerified = true
    },
  ])
  return completeSession(deps, session, ledger, sender, signal)
}

/**
 * Makes an upload that was found by its fingerprint this source's own, if what is stored of it is. Throws UploadEnded `other-content` when it
 * is not: two files that differ only between the samples of their fingerprint are two files, and each deserves an upload.
 */
async function claimSession(deps: OnceDeps, session: Session, ledger: PartLedger, signal: AbortSignal): Promise<void> {
  try {
    await verifySource({ ...deps, gate: deps.run.gate, ledger }, session.storedParts, signal)
  } catch (error) {
    const isOther = error instanceof ClientException && error.code === 'source-changed'
    throw isOther ? new UploadEnded('other-content') : error
  }
  deps.run.isOurs = true
  await deps.record.save(session.upload.id)
}

/** Completes; parts the server finds missing or different are sent again, a few times. */
async function completeSession(
  deps: OnceDeps,
  session: Session,
  ledger: PartLedger,
  sender: SessionSender,
  signal: AbortSignal,
): Promise<Finished & { crc64: bigint }> {
  const { api, options, run, source } = deps
  const { id } = session.upload
  for (let round = 0; ; round += 1) {
    await run.gate.opened(signal)
    await source.checkUnchanged()
    // What an earlier run or another device has claimed must not stand against what is stored now.
    if (session.isResumed || round > 0) await sender.checkpointer.flush()
    run.setPhase('completing')
    const crc64 = ledger.wholeCrc64()
    try {
      const finishing = { api, clock: deps.clock, completeTimeoutMs: options.completeTimeoutMs }
      return { ...(await finishUpload(finishing, id, crc64, signal)), crc64 }
    } catch (error) {
      const refused = refusedParts(error)
      if (!refused || round >= maxResendRounds) throw error
      const named = refused.length > 0 ? refused : await partsThatDiffer(api, id, ledger, signal)
      const numbers = named.filter((number) => isPlannedPart(session.plan, number))
      if (numbers.length === 0) throw error
      run.setPhase('sending')
      for (const number of numbers) run.meter.lost(number, partSize(session.plan, number))
      await sender.send(numbers, [], signal)
    }
  }
}
