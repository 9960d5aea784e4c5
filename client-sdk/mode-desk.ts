import type { Clock, ServerClock } from './clock.ts'
import type { UploadCredentials } from './contract/credentials.ts'
import type { PartGrant } from './contract/part.ts'
import type { PartPlan } from './contract/part-plan.ts'
import { ClientException, isServerProblem, ServiceException } from './errors.ts'
import { createGrantDesk, type GrantDesk } from './grant-desk.ts'
import { loadOnline } from './load-online.ts'
import { type RetryPolicy, singleAttempt } from './retry.ts'
import type { RunGate } from './run-gate.ts'
import { untilPaused } from './until-paused.ts'
import type { UploadApi } from './upload-api.ts'
import type { UploadMode, UploadNotice } from './upload-options.ts'

export interface ModeDeskDeps {
  api: UploadApi
  /** The upload's id. */
  id: string
  plan: PartPlan
  mode: UploadMode
  retry: RetryPolicy
  clock: Clock
  serverClock: ServerClock
  notify(notice: UploadNotice): void
  gate: Pick<RunGate, 'signal'>
  /** Ends with the run. */
  signal: AbortSignal
}

/** The server gives up on STS sooner. Past this, `auto` does not wait for credentials any more. */
const autoTimeoutMs = 15_000

/**
 * Grants as the mode has them. In `auto` they are signed here while STS credentials are to be had, and presigned by the server from the
 * first refusal on: by the server, by OSS, by the platform. Parts that are stored or on their way stay as they are.
 */
export function createModeDesk(deps: ModeDeskDeps): GrantDesk {
  const { api, id, mode, gate, signal } = deps
  const presigned = createGrantDesk(api, id, gate, signal)
  if (mode === 'presigned') return presigned

  let loading: Promise<GrantDesk> | undefined
  let hasGivenUp = false
  /** Grants that came in place of refused ones. A second refusal is about more than age. */
  const replacements = new WeakSet<PartGrant>()

  async function ask(isUrgent: boolean, signal: AbortSignal): Promise<UploadCredentials> {
    if (isUrgent && mode === 'sts') return api.grantCredentials(id, { signal })
    const quickly = { signal, timeoutMs: autoTimeoutMs, retry: singleAttempt, onRetry: () => {} }
    try {
      return await api.grantCredentials(id, quickly)
    } catch (error) {
      // Presigned URLs come from the same server: where it cannot be reached, it is waited for. Where it only never answers, they may
      // still be had.
      const isUnreachable = error instanceof ClientException && error.code === 'network'
      if (isUrgent && isUnreachable) return api.grantCredentials(id, { signal })
      throw error
    }
  }

  function stsDesk(): Promise<GrantDesk> {
    const load = () => import('./sts/sts-desk.ts')
    // Code that went with an older release of the page never comes.
    const retry = mode === 'auto' ? singleAttempt : deps.retry
    loading ??= loadOnline(load, { ...deps, retry, onRetry: deps.notify }, signal).then((sts) =>
      sts.createStsDesk({ ...deps, ask: (isUrgent) => untilPaused(gate, signal, (dropped) => ask(isUrgent, dropped)) }),
    )
    return loading
  }

  function giveUp(error: ClientException | ServiceException) {
    if (!hasGivenUp) deps.notify({ type: 'mode-changed', mode: 'presigned', error })
    hasGivenUp = true
  }

  return {
    get isBatched() {
      return hasGivenUp
    },
    async ask(part, refused) {
      if (mode === 'auto' && refused?.error && replacements.has(refused.grant)) giveUp(refused.error)
      if (hasGivenUp) return presigned.ask(part)
      try {
        const grant = await (await stsDesk()).ask(part, refused)
        if (refused) replacements.add(grant)
        return grant
      } catch (error) {
        const isKnown = error instanceof ClientException || error instanceof ServiceException
        if (mode === 'sts' || signal.aborted || !isKnown || isAboutTheUpload(error)) throw error
        giveUp(error)
        return presigned.ask(part)
      }
    },
  }
}

/** What presigned URLs would be refused for as well. */
function isAboutTheUpload(error: unknown): boolean {
  return isServerProblem(error) && error.code.startsWith('upload-')
}
