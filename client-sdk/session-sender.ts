import type { BufferPool } from './buffer-pool.ts'
import { type Checkpointer, createCheckpointer } from './checkpointer.ts'
import type { PartGrant } from './contract/part.ts'
import { createGrantAges } from './grant-age.ts'
import { askPatiently, type RefusedGrant } from './grant-desk.ts'
import { createLineSpeed } from './line-speed.ts'
import { createModeDesk } from './mode-desk.ts'
import type { Session } from './open-session.ts'
import type { PartLedger } from './part-ledger.ts'
import type { GrantedPart, PreparedPart } from './prepared-part.ts'
import { singleAttempt } from './retry.ts'
import { sendParts } from './send-parts.ts'
import { createSendWindow } from './send-window.ts'
import { askFate } from './upload-fate.ts'
import type { OnceDeps } from './upload-once.ts'

/** Sends parts of one upload: everything that stays the same however often parts are sent. */
export interface SessionSender {
  checkpointer: Checkpointer
  /** Completes `grants` so that each of `parts` has one. */
  grantAll(parts: readonly PreparedPart[], grants: readonly PartGrant[]): Promise<GrantedPart[]>
  send(numbers: Iterable<number>, ready: GrantedPart[], signal: AbortSignal): Promise<void>
  /** Resolves when the first part is granted and about to be sent, or none will be. */
  readonly begun: Promise<void>
}

const checkpointTimeoutMs = 10_000

/** `signal` ends with the run; what is still being asked of the server then is dropped. */
export function createSessionSender(
  deps: OnceDeps,
  session: Session,
  ledger: PartLedger,
  buffers: BufferPool,
  signal: AbortSignal,
): SessionSender {
  const { api, options, run } = deps
  const { id } = session.upload
  const ages = createGrantAges(deps.serverClock)
  let areHeadersHidden = false
  const { mode, retry } = options
  const desk = createModeDesk({
    ...deps,
    id,
    plan: session.plan,
    mode,
    retry,
    notify: run.notify,
    gate: run.gate,
    signal,
  })
  async function ask(part: { partNumber: number; md5: string }, refused?: RefusedGrant) {
    const grant = await desk.ask(part, refused)
    ages.received(grant)
    return grant
  }
  const checkpointer = createCheckpointer(
    (parts, { keepalive }) =>
      api.saveCheckpoint(id, parts, {
        keepalive,
        signal: run.checkpointSignal,
        timeoutMs: checkpointTimeoutMs,
        // The next one says the same and more.
        retry: singleAttempt,
        onRetry: () => {},
      }),
    deps.clock,
  )
  let begin = () => {}
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  const sending = {
    ...deps,
    plan: session.plan,
    ledger,
    checkpointer,
    ages,
    line: createLineSpeed(),
    window: createSendWindow(options.parallel),
    buffers,
    parallel: options.parallel,
    retry: options.retry,
    stallTimeoutMs: options.stallTimeoutMs,
    gate: run.gate,
    meter: run.meter,
    onPart: begin,
    onMoved: run.reports.moved,
    onRetry: run.notify,
    onHeadersHidden() {
      if (!areHeadersHidden) run.notify({ type: 'headers-hidden' })
      areHeadersHidden = true
    },
    limiter: options.limiter,
    onUploadMissing: () => askFate(api, id, signal),
    grants: {
      get isBatched() {
        return desk.isBatched
      },
      ask,
    },
  }
  return {
    checkpointer,
    begun,
    grantAll(parts, grants) {
      for (const grant of grants) ages.received(grant)
      const known = new Map(grants.map((grant) => [grant.partNumber, grant]))
      const grantOf = (part: PreparedPart) =>
        known.get(part.partNumber) ?? askPatiently({ ask }, part, run.gate, signal)
      return Promise.all(parts.map(async (part) => ({ ...part, grant: await grantOf(part) })))
    },
    async send(numbers, ready, sendSignal) {
      try {
        await sendParts(sending, numbers, ready, sendSignal)
      } finally {
        begin()
      }
    },
  }
}
