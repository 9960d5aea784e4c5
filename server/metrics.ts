import type { AbortReason, SweepOutcome, SweepReason, UploadState } from '@partway/client/contract'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** What the server counts. One object per app, with its own registry. Labels are from fixed sets, never from a caller. */
export interface Metrics {
  /** The exposition text of everything counted so far, and its media type. */
  expose(): Promise<{ text: string; contentType: string }>
  /** `endpoint` is a name of the contract's table, `unknown` where no endpoint was met. */
  requestAnswered(endpoint: string, status: number, seconds: number): void
  /** `resumed`: an open upload of the same fingerprint. `repeated`: the same idempotency key. */
  uploadCreated(how: 'new' | 'resumed' | 'repeated'): void
  uploadCompleted(sizeBytes: number): void
  uploadAborted(reason: AbortReason): void
  grantsIssued(count: number): void
  /** Parts compared with ListParts at complete. */
  partsChecked(count: number): void
  /** `outcome`: `ok`, an error code of OSS, or `unreachable`. */
  ossCall(operation: string, outcome: string, seconds: number): void
  /** A call to STS. `outcome`: `ok`, an error code of STS, or `unreachable`. */
  stsCall(outcome: string, seconds: number): void
  /** STS credentials were handed out, made anew or not. */
  credentialsIssued(kind: 'upload' | 'direct' | 'auth-url'): void
  /** An object was found to be another than was completed. */
  objectChanged(): void
  /** A row whose lease had run out was driven on, out of `state`, or could not be. */
  recoveryDrive(state: UploadState, outcome: 'moved' | 'waiting' | 'failed'): void
  sweepRun(outcome: 'ok' | 'failed', uploadsExpired: number): void
  /** OSS was asked about an open upload: by a sweep, daily, or because an administrator wanted it. `storedBytes`: what it held before. */
  uploadSwept(look: { outcome: SweepOutcome; reason: SweepReason; storedBytes: number }): void
  /** The webhook was told of an event, or was not. */
  webhookAttempt(outcome: 'delivered' | 'refused' | 'unreachable' | 'timeout' | 'address-refused'): void
  /** The webhook was told of an event for three days in vain, and will not be any more. */
  webhookGivenUp(): void
  /** Called at every scrape. Replaces what was watched before. */
  watchPool(read: () => { total: number; idle: number; waiting: number }): void
}

const requestSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** `build` labels the constant `partway_build_info`. */
export function createMetrics(build: { version: string }): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })

  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Counter({ name: `partway_${name}`, help, labelNames: [...labelNames], registers })
  const duration = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Histogram({ name: `partway_${name}`, help, labelNames: [...labelNames], buckets: requestSeconds, registers })

  const requests = duration('http_request_duration_seconds', 'Time to answer a request.', ['endpoint', 'status'])
  const created = counter('uploads_created_total', 'Uploads that create answered with.', ['how'])
  const completed = counter('uploads_completed_total', 'Uploads that became an object.')
  const completedBytes = counter('uploads_completed_bytes_total', 'Bytes of the uploads that became an object.')
  const aborted = counter('uploads_aborted_total', 'Uploads that ended without an object.', ['reason'])
  const grants = counter('grants_issued_total', 'Presigned part URLs handed out.')
  const parts = counter('parts_checked_total', 'Parts compared with what OSS lists before completing.')
  const oss = duration('oss_call_duration_seconds', 'Time of a call to OSS.', ['operation', 'outcome'])
  const sts = duration('sts_call_duration_seconds', 'Time of a call to STS.', ['outcome'])
  const credentials = counter('credentials_issued_total', 'STS credentials handed out.', ['kind'])
  const changed = counter('objects_changed_total', 'Objects found to be others than were completed.')
  const drives = counter('recovery_drives_total', 'Half-done uploads taken over after their lease.', [
    'state',
    'outcome',
  ])
  const sweeps = counter('sweeps_total', 'Passes of the sweep.', ['outcome'])
  const expired = counter('sweep_uploads_expired_total', 'Uploads that a sweep expired.')
  const looks = counter('upload_looks_total', 'Open uploads that OSS was asked about.', ['outcome', 'reason'])
  const freedBytes = counter('swept_bytes_total', 'Bytes in the parts of uploads that were given up by sweeps.')
  const deliveries = counter('webhook_deliveries_total', 'Attempts to tell the webhook of an event.', ['outcome'])
  const givenUp = counter('webhook_events_given_up_total', 'Events that the webhook was never told of.')

  let readPool = () => ({ total: 0, idle: 0, waiting: 0 })
  new Gauge({
    name: 'partway_db_pool_connections',
    help: 'Database connections of this process, and requests waiting for one.',
    labelNames: ['state'],
    registers,
    collect() {
      const { total, idle, waiting } = readPool()
      this.set({ state: 'busy' }, total - idle)
      this.set({ state: 'idle' }, idle)
      this.set({ state: 'waiting' }, waiting)
    },
  })
  new Gauge({
    name: 'partway_build_info',
    help: 'Always 1; the labels say what runs.',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version: build.version, node: process.versions.node }, 1)

  return {
    expose: async () => ({ text: await registry.metrics(), contentType: registry.contentType }),
    requestAnswered: (endpoint, status, seconds) => requests.observe({ endpoint, status }, seconds),
    uploadCreated: (how) => created.inc({ how }),
    uploadCompleted(sizeBytes) {
      completed.inc()
      completedBytes.inc(sizeBytes)
    },
    uploadAborted: (reason) => aborted.inc({ reason }),
    grantsIssued: (count) => grants.inc(count),
    partsChecked: (count) => parts.inc(count),
    ossCall: (operation, outcome, seconds) => oss.observe({ operation, outcome }, seconds),
    stsCall: (outcome, seconds) => sts.observe({ outcome }, seconds),
    credentialsIssued: (kind) => credentials.inc({ kind }),
    objectChanged: () => changed.inc(),
    recoveryDrive: (state, outcome) => drives.inc({ state, outcome }),
    sweepRun(outcome, uploadsExpired) {
      sweeps.inc({ outcome })
      expired.inc(uploadsExpired)
    },
    uploadSwept({ outcome, reason, storedBytes }) {
      looks.inc({ outcome, reason })
      if (outcome === 'aborted') freedBytes.inc(storedBytes)
    },
    webhookAttempt: (outcome) => deliveries.inc({ outcome }),
    webhookGivenUp: () => givenUp.inc(),
    watchPool(read) {
      readPool = read
    },
  }
}
