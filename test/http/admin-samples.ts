import {
  type AdminUpload,
  ageBands,
  type Orphan,
  type Summary,
  type Sweep,
  type SweptUpload,
  uploadStates,
} from '@partway/client/contract'

/* What an administrator's server might say; tests change what they are about. */

const hex = (number: number) => number.toString(16).padStart(32, '0')
const at = '2026-11-26T04:05:06.789Z'

export function sampleUpload(number: number, fields: Partial<AdminUpload> = {}): AdminUpload {
  return {
    id: `upl_${hex(number)}`,
    tenant: 'acme',
    subject: 'alice',
    state: 'uploading',
    fileName: `file-${number}.bin`,
    contentType: 'application/octet-stream',
    bucket: 'bucket',
    key: `uploads/acme/${number}/file-${number}.bin`,
    sizeBytes: 10_485_760,
    partSizeBytes: 1_048_576,
    partCount: 10,
    storedBytes: 5_242_880,
    storedBytesReadAt: at,
    monthlyCost: null,
    createdAt: at,
    ageSeconds: 200_000,
    lastActivityAt: at,
    idleSeconds: 100_000,
    expiresAt: at,
    isStale: true,
    grantsAliveUntil: null,
    credentialsAliveUntil: null,
    completedAt: null,
    abortReason: null,
    isAdopted: false,
    ...fields,
  }
}

export function sampleSwept(number: number, fields: Partial<SweptUpload> = {}): SweptUpload {
  const { id, tenant, fileName } = sampleUpload(number)
  return {
    id,
    tenant,
    fileName,
    storedBytes: 1_048_576,
    outcome: 'aborted',
    reason: 'stale',
    aliveUntil: null,
    ...fields,
  }
}

export function sampleSweep(fields: Partial<Sweep> = {}): Sweep {
  return {
    id: `swp_${hex(1)}`,
    kind: 'sweep',
    isDryRun: false,
    by: null,
    tenant: null,
    olderThanSeconds: 86_400,
    startedAt: at,
    finishedAt: at,
    examined: 0,
    aborted: 0,
    finished: 0,
    left: 0,
    failed: 0,
    freedBytes: 0,
    ...fields,
  }
}

export function sampleOrphan(number: number, fields: Partial<Orphan> = {}): Orphan {
  return {
    id: `orp_${number}`,
    kind: 'untracked',
    key: `uploads/acme/${number}/lost.bin`,
    ossUploadId: hex(number).toUpperCase(),
    uploadId: null,
    tenant: 'acme',
    storedBytes: 1_048_576,
    partCount: 1,
    startedAt: at,
    ageSeconds: 100_000,
    credentialsAliveUntil: null,
    actions: ['adopt', 'abort'],
    ...fields,
  }
}

export function sampleSummary(fields: Partial<Summary> = {}): Summary {
  const amount = { uploads: 3, bytes: 3_145_728 }
  return {
    measuredAt: at,
    tenant: null,
    held: { ...amount, monthlyCost: 1.5 },
    stale: { uploads: 1, bytes: 1_048_576, monthlyCost: 0.5, afterSeconds: 86_400 },
    byState: uploadStates.map((state) => ({ state, ...amount })),
    byAge: ageBands.map((band, index) => ({ ...band, uploads: index, bytes: index * 1_048_576 })),
    byTenant: [
      { tenant: 'acme', ...amount, monthlyCost: 1.25 },
      { tenant: '=cmd()', uploads: 1, bytes: 7, monthlyCost: 0.001 },
    ],
    tenantCount: 2,
    overTime: [
      { at, uploads: 1, bytes: 1_048_576 },
      { at, uploads: 3, bytes: 3_145_728 },
    ],
    pricePerGbMonth: 0.12,
    ...fields,
  }
}
