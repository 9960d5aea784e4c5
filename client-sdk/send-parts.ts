import { linkSignals, runTogether } from './abort-link.ts'
import type { BufferPool } from './buffer-pool.ts'
import type { Checkpointer } from './checkpointer.ts'
import { ClientException } from './errors.ts'
import { askPatiently, type GrantDesk } from './grant-desk.ts'
import { etagOfMd5 } from './hashing.ts'
import { createLookahead } from './lookahead.ts'
import { createPartFeed } from './part-feed.ts'
import type { PartLedger } from './part-ledger.ts'
import { type GrantedPart, type PreparedPart, preparePart } from './prepared-part.ts'
import { type SendPartDeps, sendPart } from './send-part.ts'

export interface SendPartsDeps extends SendPartDeps {
  grants: GrantDesk
  parallel: number
  buffers: BufferPool
  ledger: PartLedger
  checkpointer: Checkpointer
  /** Called with each part that is about to be sent. */
  onPart(): void
}

/** Sends the parts of `numbers`, `parallel` at a time, and remembers their checksums. `ready` ones go first. */
export async function sendParts(
  deps: SendPartsDeps,
  numbers: Iterable<number>,
  ready: GrantedPart[],
  signal: AbortSignal,
): Promise<void> {
  const link = linkSignals(signal)
  for (const part of ready) remember(deps, part)
  const lookahead = createLookahead(deps.parallel, deps.plan, deps.clock)
  const feed = createPartFeed({
    numbers: [...numbers],
    ready,
    lookahead: (left) => lookahead.bounds(deps.grants.isBatched, left),
    async prepare(partNumber) {
      await deps.gate.opened(link.signal)
      const part = await preparePart(deps, partNumber, link.signal)
      remember(deps, part)
      return part
    },
    askGrant: (part) => askPatiently(deps.grants, part, deps.gate, link.signal),
    isOld: deps.ages.isNearEnd,
  })
  const sender = async () => {
    try {
      for (let part = await feed.next(); part; part = await feed.next()) {
        await sendOne(deps, part, link.signal)
        lookahead.stored()
      }
    } catch (error) {
      link.abort(error)
      feed.close()
      throw error
    }
  }
  try {
    await runTogether(signal, Array(deps.parallel).fill(sender))
  } finally {
    feed.close()
    link.release()
  }
}

async function sendOne(deps: SendPartsDeps, part: GrantedPart, signal: AbortSignal) {
  try {
    checkGrant(part)
    deps.onPart()
    await sendPart(deps, part, signal)
  } finally {
    part.release()
  }
  const { md5, crc64 } = part.digest
  deps.checkpointer.add({ partNumber: part.partNumber, etag: etagOfMd5(md5), crc64: crc64.toString() })
  deps.onMoved()
}

function remember(deps: SendPartsDeps, part: PreparedPart) {
  if (deps.ledger.hashed(part.partNumber, part.digest.crc64)) return
  part.release()
  throw new ClientException('source-changed', `The file changed while it was being sent: part ${part.partNumber}`)
}

function checkGrant({ grant, partNumber, body }: GrantedPart) {
  if (grant.method === 'PUT' && grant.sizeBytes === body.sizeBytes) return
  throw new ClientException('invalid-reply', `The grant for part ${partNumber} does not fit the part`)
}
