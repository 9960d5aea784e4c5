import type { PartGrant, PartRequest } from './contract/part.ts'
import { ClientException, type ServiceException } from './errors.ts'
import type { PreparedPart } from './prepared-part.ts'
import { pausedReason, type RunGate } from './run-gate.ts'
import { untilPaused } from './until-paused.ts'
import type { UploadApi } from './upload-api.ts'

/** A grant that OSS did not take. */
export interface RefusedGrant {
  grant: PartGrant
  /** OSS's answer; undefined where the platform hides it. */
  error: ServiceException<'oss'> | undefined
}

/** Gives permission to send parts. A pause drops what it asks of the server, and it throws the pause's reason. */
export interface GrantDesk {
  /** Whether the server is asked, once for all parts that are asked for together: the more at once, the fewer requests. */
  readonly isBatched: boolean
  /** A fresh grant; `refused` is the one it replaces, if OSS did not take that. */
  ask(part: { partNumber: number; md5: string }, refused?: RefusedGrant): Promise<PartGrant>
}

const maxPartsPerRequest = 100

interface Waiting {
  part: PartRequest
  resolve(grant: PartGrant): void
  reject(error: unknown): void
}

/** For who holds nothing up while it waits: over a pause, too. Throws what the desk throws, and the signal's reason. */
export async function askPatiently(
  desk: Pick<GrantDesk, 'ask'>,
  part: PreparedPart,
  gate: RunGate,
  signal: AbortSignal,
): Promise<PartGrant> {
  for (;;) {
    await gate.opened(signal)
    try {
      return await desk.ask({ partNumber: part.partNumber, md5: part.digest.md5 })
    } catch (error) {
      if (error !== pausedReason) throw error
    }
  }
}

/** Grants presigned by the server. Parts asked for together, or while a request is under way, share one request. */
export function createGrantDesk(
  api: Pick<UploadApi, 'grantParts'>,
  id: string,
  gate: Pick<RunGate, 'signal'>,
  signal: AbortSignal,
): GrantDesk {
  const waiting: Waiting[] = []
  let isAsking = false

  async function askAll() {
    isAsking = true
    // Everything asked for in this turn of the event loop belongs to the first request.
    await Promise.resolve()
    while (waiting.length > 0) {
      const batch = waiting.splice(0, maxPartsPerRequest)
      const parts = batch.map(({ part }) => part)
      try {
        const reply = await untilPaused(gate, signal, (dropped) => api.grantParts(id, parts, { signal: dropped }))
        const grants = new Map(reply.grants.map((grant) => [grant.partNumber, grant]))
        for (const { part, resolve, reject } of batch) {
          const grant = grants.get(part.partNumber)
          if (grant) resolve(grant)
          else reject(new ClientException('invalid-reply', `The server gave no grant for part ${part.partNumber}`))
        }
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    isAsking = false
  }

  return {
    isBatched: true,
    ask: (part) =>
      new Promise((resolve, reject) => {
        waiting.push({ part: { partNumber: part.partNumber, md5: part.md5 }, resolve, reject })
        if (!isAsking) void askAll()
      }),
  }
}
