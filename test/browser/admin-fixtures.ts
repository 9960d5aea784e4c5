import { createHash } from 'node:crypto'
import {
  AdminUpload,
  AdminUploadDetail,
  ageBands,
  Cors,
  Lifecycle,
  Orphan,
  Summary,
  Sweep,
  type UploadState,
  uploadStates,
} from '@partway/client/contract'

/* What an administration may look like: varied, and as the contract has it, for each is parsed by its schema. */

const GB = 1_000_000_000
const hex = (seed: string) => createHash('sha256').update(seed).digest('hex').slice(0, 32)
const at = (secondsAgo: number) => new Date(Date.now() - secondsAgo * 1000).toISOString()
const hour = 3600
const day = 86_400
const pricePerGbMonth = 0.12
const costOf = (bytes: number) => (bytes / 2 ** 30) * pricePerGbMonth

const names = [
  'Interview Hamburg, camera B, take 3.mov',
  'backup-2026-11-14.tar.zst',
  'sequencing_run_0417_lane2.fastq.gz',
  'Jahresbericht 2026 (Entwurf).pdf',
  'drone survey, north slope.zip',
  'nightly-postgres.dump',
  '会议录像 2026年11月.mp4',
  'مقابلة كاملة.mov',
  'IMG_20261122_184233.dng',
  'model-checkpoint-00480000.safetensors',
  'scan.iso',
  'a-name-without-any-place-to-break-'.repeat(6),
]
const tenants = ['northlight-films', 'genomics', 'archive', 'acme', 'studio-7', 'field-team', 'tiny', 'press']

export function someUpload(index: number, fields: Partial<AdminUpload> = {}): AdminUpload {
  const tenant = tenants[index % tenants.length] ?? 'acme'
  const fileName = names[index % names.length] ?? 'file.bin'
  const id = `upl_${hex(`upload ${index}`)}`
  const sizeBytes = Math.round((1 + ((index * 37) % 90)) * 0.7 * GB)
  const storedBytes = Math.round(sizeBytes * (((index * 29) % 97) / 100))
  const partSizeBytes = 8 * 1_048_576
  const idleSeconds = Math.round(40 * day * 0.86 ** index + 90)
  const ageSeconds = idleSeconds + ((index * 7919) % (2 * day)) + 600
  const isAlive = idleSeconds < hour
  return AdminUpload.parse({
    id,
    tenant,
    subject: index % 3 === 0 ? tenant : `user-${index}`,
    state: 'uploading',
    fileName,
    contentType: 'application/octet-stream',
    bucket: 'media-prod',
    key: `uploads/${tenant}/${hex(`key ${index}`)}/${fileName}`,
    sizeBytes,
    partSizeBytes,
    partCount: Math.ceil(sizeBytes / partSizeBytes),
    storedBytes,
    storedBytesReadAt: index % 5 === 4 ? null : at(index * 131),
    monthlyCost: costOf(storedBytes),
    createdAt: at(ageSeconds),
    ageSeconds,
    lastActivityAt: at(idleSeconds),
    idleSeconds,
    expiresAt: at(idleSeconds - day),
    isStale: idleSeconds >= day,
    grantsAliveUntil: isAlive ? at(-700 - index) : index % 4 === 0 ? null : at(idleSeconds - 900),
    credentialsAliveUntil: null,
    completedAt: null,
    abortReason: null,
    isAdopted: index === 9,
    ...fields,
  })
}

export function someDetail(upload: AdminUpload, fields: Partial<AdminUploadDetail> = {}): AdminUploadDetail {
  const stored = Math.floor(upload.storedBytes / upload.partSizeBytes)
  const from = Date.parse(upload.createdAt)
  const last = Date.parse(upload.lastActivityAt)
  const middle = (share: number) => new Date(from + (last - from) * share).toISOString()
  const event = (id: number, createdAt: string, change: [UploadState | null, UploadState]) => ({
    id: `${id}`,
    createdAt,
    kind: 'state-changed',
    detail: { from: change[0], to: change[1], abortReason: null },
  })
  const credential = (share: number) => ({
    subject: upload.subject,
    resource: `acs:oss:*:*:${upload.bucket}/${upload.key}`,
    sessionName: 'pw-session',
    ttlSeconds: 3600,
    createdAt: middle(share),
    expiresAt: new Date(Date.parse(middle(share)) + hour * 1000).toISOString(),
    requestId: hex(`request ${share}`),
  })
  return AdminUploadDetail.parse({
    upload,
    metadata: { 'shot-by': 'camera-b', project: 'hamburg' },
    fingerprint: 'sha256:9f86d081884c7d659a2feaa0c55ad015',
    ossUploadId: hex(`oss ${upload.id}`).toUpperCase(),
    storedPartRanges:
      stored > 40
        ? [
            [1, stored - 30],
            [stored - 20, stored - 4],
            [stored + 2, stored + 5],
          ]
        : [[1, Math.max(1, stored)]],
    parts: Array.from({ length: Math.min(200, stored) }, (_, index) => ({
      partNumber: index + 1,
      sizeBytes: upload.partSizeBytes,
      etag: hex(`part ${index}`).toUpperCase(),
      crc64: `${10_000_000_000_000_000 + index * 7_919}`,
    })),
    nextPartsAfter: null,
    grants: { grantedParts: stored + 12, lastGrantedAt: middle(0.9), aliveUntil: upload.grantsAliveUntil },
    credentials: [credential(0.95), credential(0.5), credential(0.1)],
    events: [event(1, upload.createdAt, [null, 'pending']), event(2, middle(0.01), ['pending', 'uploading'])],
    ...fields,
  })
}

export function someSummary(uploads: readonly AdminUpload[], fields: Partial<Summary> = {}): Summary {
  const held = uploads.reduce((sum, { storedBytes }) => sum + storedBytes, 0)
  const stale = uploads.filter(({ isStale }) => isStale)
  const staleBytes = stale.reduce((sum, { storedBytes }) => sum + storedBytes, 0)
  const byTenant = tenants
    .map((tenant) => {
      const own = uploads.filter((upload) => upload.tenant === tenant)
      const bytes = own.reduce((sum, { storedBytes }) => sum + storedBytes, 0)
      return { tenant, uploads: own.length, bytes, monthlyCost: costOf(bytes) }
    })
    .filter((one) => one.uploads > 0)
    .sort((a, b) => b.bytes - a.bytes)
  const points = [
    ...Array.from({ length: 60 }, (_, index) => (63 - index) * day),
    ...Array.from({ length: 24 }, (_, index) => (23 - index) * 3 * hour),
  ]
  return Summary.parse({
    measuredAt: at(20),
    tenant: null,
    held: { uploads: uploads.length, bytes: held, monthlyCost: costOf(held) },
    stale: { uploads: stale.length, bytes: staleBytes, monthlyCost: costOf(staleBytes), afterSeconds: day },
    byState: uploadStates.map((state) => ({
      state,
      uploads: state === 'completed' ? 48_210 : uploads.filter((upload) => upload.state === state).length,
      bytes: state === 'completed' ? 91_400 * GB : state === 'uploading' ? held : 0,
    })),
    byAge: ageBands.map(({ band, fromSeconds, toSeconds }) => {
      const own = uploads.filter(
        ({ ageSeconds }) => ageSeconds >= fromSeconds && ageSeconds < (toSeconds ?? Number.POSITIVE_INFINITY),
      )
      return {
        band,
        fromSeconds,
        toSeconds,
        uploads: own.length,
        bytes: own.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
      }
    }),
    byTenant,
    tenantCount: byTenant.length,
    overTime: points.map((secondsAgo, index) => {
      const wave = 0.75 + 0.2 * Math.sin(index / 17) + 0.06 * Math.sin(index / 3) - (index > 75 ? 0.18 : 0)
      return { at: at(secondsAgo), uploads: Math.round(uploads.length * wave), bytes: Math.round(held * wave) }
    }),
    pricePerGbMonth,
    ...fields,
  })
}

export function someSweeps(): Sweep[] {
  const sweep = (index: number, fields: Partial<Sweep>) =>
    Sweep.parse({
      id: `swp_${hex(`sweep ${index}`)}`,
      kind: 'sweep',
      isDryRun: false,
      by: null,
      tenant: null,
      olderThanSeconds: day,
      startedAt: at(index * 900 + 200),
      finishedAt: at(index * 900 + 180),
      examined: 100,
      aborted: 84,
      finished: 2,
      left: 13,
      failed: 1,
      freedBytes: 212 * GB,
      ...fields,
    })
  return [
    sweep(0, { finishedAt: null, startedAt: at(8), examined: 1200, aborted: 1102, left: 98, finished: 0, failed: 0 }),
    sweep(1, { by: { tenant: '*', subject: 'local-admin' }, isDryRun: true, olderThanSeconds: 3 * day }),
    sweep(3, {
      kind: 'abort',
      by: { tenant: 'acme', subject: 'dana' },
      tenant: 'acme',
      olderThanSeconds: null,
      examined: 3,
      aborted: 2,
      left: 1,
      finished: 0,
      failed: 0,
      freedBytes: 4 * GB,
    }),
    sweep(9, {}),
    sweep(40, { failed: 0, finished: 0, left: 0, aborted: 7, examined: 7, freedBytes: 31 * GB }),
  ]
}

export function someOrphans(): Orphan[] {
  const orphan = (index: number, fields: Partial<Orphan>) =>
    Orphan.parse({
      id: `orp_${hex(`orphan ${index}`)}`,
      kind: 'untracked',
      key: `uploads/archive/${hex(`orphan key ${index}`)}/${names[index % names.length]}`,
      ossUploadId: hex(`orphan oss ${index}`).toUpperCase(),
      uploadId: null,
      tenant: 'archive',
      storedBytes: (index + 1) * 3 * GB,
      partCount: (index + 1) * 360,
      startedAt: at((index + 1) * 5 * day),
      ageSeconds: (index + 1) * 5 * day,
      credentialsAliveUntil: null,
      actions: ['adopt', 'abort'],
      ...fields,
    })
  return [
    orphan(0, {}),
    orphan(1, {
      kind: 'direct',
      key: 'direct/field-team/~user/flight-0418.las',
      tenant: 'field-team',
      credentialsAliveUntil: at(-1500),
      actions: [],
    }),
    orphan(2, { kind: 'lost', uploadId: `upl_${hex('lost')}`, storedBytes: null, partCount: null, actions: ['close'] }),
    orphan(3, { kind: 'completed-outside', uploadId: `upl_${hex('outside')}`, actions: ['close'] }),
  ]
}

export const someLifecycle = Lifecycle.parse({
  verdicts: [
    { prefix: 'uploads/', verdict: 'covered', complaint: null, canBeMerged: false },
    {
      prefix: 'direct/',
      verdict: 'missing',
      complaint: 'No rule ends forgotten uploads below direct/: their parts are kept, and billed, for ever.',
      canBeMerged: true,
    },
  ],
  rules: [
    { id: 'partway-uploads', prefix: 'uploads/', isEnabled: true, days: 8, isOwn: true },
    { id: 'old-logs', prefix: 'logs/', isEnabled: false, days: 30, isOwn: false },
  ],
  isChanged: false,
})

export const someCors = Cors.parse({
  verdicts: [
    { origin: 'https://app.example.com', verdict: 'allowed', complaint: null },
    {
      origin: 'https://studio.example.com',
      verdict: 'refused',
      complaint: 'No CORS rule of the bucket allows PUT from this origin: pages there cannot upload.',
    },
  ],
})
