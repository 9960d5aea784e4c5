import type { AbortReason, EndpointName, ProblemCode, UploadState } from '@partway/client/contract'

/*
 *                 Initiate confirmed            complete                object verified
 *   (create) ─→ pending ──────────→ uploading ─────────→ completing ─────────────────→ completed
 *                  │                 │     ↑   parts missing │ or wrong
 *                  │ user            │     └────────────────┤
 *                  │                 │ user, expired        │ integrity, key-taken, upload-gone
 *                  └────────────→ aborting ←────────────────┘
 *                                    │  OSS answers NoSuchUpload
 *                                    └──────────────────────→ aborted
 *
 * pending, completing and aborting carry a lease of LEASE_SECONDS, renewed while somebody works on the row. Whoever meets such a row
 * after its lease drives it on; every step may run twice. aborted rows are looked at once more after the last grant's death, and both aborted
 * and completed ones twice after that of the last credentials, whose holder could have made or changed the object.
 */

/** How long whoever drives a row has it for itself. Longer than any call to OSS may take. */
export const LEASE_SECONDS = 30

/** How long a missing object may still turn up after a Complete whose reply was lost, before the upload counts as gone. */
export const LOST_REPLY_PATIENCE_SECONDS = 300

// How long after the end of the last credentials their object is looked at for the last time: a request that began in time may go on for so
// long. Source: OSS error 0017-00000703.
const LAST_LOOK_SECONDS = 4 * 3600 + 300

/** In how many seconds the last look at what lies under a row's key is due; 0 when it is, or when there were no credentials for it. */
export function lastLookInSeconds(row: { credentialsAliveUntil: Date | null; readAt: Date }): number {
  if (row.credentialsAliveUntil === null) return 0
  const dueAtMs = row.credentialsAliveUntil.getTime() + LAST_LOOK_SECONDS * 1000
  return Math.max(0, Math.ceil((dueAtMs - row.readAt.getTime()) / 1000))
}

/** Whether a row is on its way and nobody's: its former driver's lease has run out. */
export function isLeftBehind({
  state,
  dueAt,
  readAt,
}: {
  state: UploadState
  dueAt: Date | null
  readAt: Date
}): boolean {
  const isDriven = state === 'pending' || state === 'completing' || state === 'aborting'
  return isDriven && dueAt !== null && dueAt <= readAt
}

/** Whether somebody is looking at an `uploading` row at this moment. What is due later than a lease can last was put off. */
export function isBeingLookedAt({
  attempts,
  dueAt,
  readAt,
}: {
  attempts: number
  dueAt: Date | null
  readAt: Date
}): boolean {
  const heldForMs = dueAt === null ? 0 : dueAt.getTime() - readAt.getTime()
  return attempts > 0 && heldForMs > 0 && heldForMs <= LEASE_SECONDS * 1000
}

/** The operations on one upload. */
export type UploadOperation = Extract<
  EndpointName,
  'getUpload' | 'listParts' | 'grantParts' | 'grantCredentials' | 'saveCheckpoint' | 'completeUpload' | 'abortUpload'
>

/** `ended`: 410 with `upload-expired` or `upload-gone`, by the abort reason. */
export type StateAnswer = 'serve' | 'ended' | Extract<ProblemCode, 'upload-state-conflict'>

const open = {
  pending: 'upload-state-conflict',
  uploading: 'serve',
  completing: 'upload-state-conflict',
  completed: 'upload-state-conflict',
  aborting: 'ended',
  aborted: 'ended',
} as const

/** What each operation answers in each state. The one place that says so; the tests are generated from it. */
export const stateAnswers = {
  getUpload: {
    pending: 'serve',
    uploading: 'serve',
    completing: 'serve',
    completed: 'serve',
    aborting: 'serve',
    aborted: 'serve',
  },
  listParts: open,
  grantParts: open,
  grantCredentials: open,
  saveCheckpoint: open,
  completeUpload: {
    pending: 'upload-state-conflict',
    uploading: 'serve',
    completing: 'serve',
    completed: 'serve',
    aborting: 'ended',
    aborted: 'ended',
  },
  abortUpload: {
    pending: 'serve',
    uploading: 'serve',
    completing: 'upload-state-conflict',
    completed: 'upload-state-conflict',
    aborting: 'serve',
    aborted: 'serve',
  },
} as const satisfies Record<UploadOperation, Record<UploadState, StateAnswer>>

/** The code of a 410 for an upload that was given up for `reason`. */
export function endedCode(reason: AbortReason | null): 'upload-expired' | 'upload-gone' {
  return reason === 'expired' ? 'upload-expired' : 'upload-gone'
}
