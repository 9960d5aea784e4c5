import { z } from 'zod'
import { UploadEvent } from './event.ts'
import { ByteCount, Instant, PartNumber, UploadId } from './primitives.ts'
import { AbortReason, abortReasons, Upload, UploadState } from './upload.ts'

/* The words of /v1/admin: what uploads hold, what is stale, and what was done about it. */

const count = z.int().min(0)
const seconds = z.int().min(0)
const cost = z
  .number()
  .min(0)
  .nullable()
  .meta({ description: 'By PRICE_PER_GB_MONTH, in its currency; a GB is 2^30 bytes. Null: no price is set.' })

export const AdminUpload = z
  .object({
    id: UploadId,
    tenant: z.string(),
    subject: z.string(),
    state: UploadState,
    fileName: z.string().meta({ description: 'As the client gave it. Text, never markup.' }),
    contentType: z.string(),
    bucket: z.string(),
    key: z.string(),
    sizeBytes: ByteCount,
    partSizeBytes: z.int().min(1),
    partCount: count,
    storedBytes: ByteCount.meta({ description: 'In stored parts, and billed. The file’s size once it is completed.' }),
    storedBytesReadAt: Instant.nullable().meta({
      description: 'When OSS was last asked for them. Null: never; they are what the client reported.',
    }),
    monthlyCost: cost,
    createdAt: Instant,
    ageSeconds: seconds,
    lastActivityAt: Instant,
    idleSeconds: seconds,
    expiresAt: Instant.meta({ description: 'When the upload ends if nothing more happens.' }),
    isStale: z.boolean().meta({ description: 'Idle for STALE_AFTER_SECONDS, or older than UPLOAD_TTL_SECONDS.' }),
    grantsAliveUntil: Instant.nullable().meta({
      description: 'The last moment at which a part URL or a set of credentials of this upload can be used.',
    }),
    credentialsAliveUntil: Instant.nullable().meta({ description: 'The same of STS credentials alone.' }),
    completedAt: Instant.nullable(),
    abortReason: AbortReason.nullable(),
    isAdopted: z.boolean().meta({ description: 'Found in the bucket without a row; tracked only to be swept.' }),
  })
  .meta({ id: 'AdminUpload', description: 'An upload as its administrator sees it.' })
export type AdminUpload = z.infer<typeof AdminUpload>

export const adminSorts = ['lastActivityAt', 'storedBytes', 'createdAt'] as const
export const AdminSort = z.enum(adminSorts)
export type AdminSort = z.infer<typeof AdminSort>

export const KnownPart = z
  .object({
    partNumber: PartNumber,
    sizeBytes: ByteCount,
    etag: z.string().nullable(),
    crc64: z.string().nullable(),
  })
  .meta({ id: 'KnownPart', description: 'A part as last reported by the client, or last read from OSS.' })
export type KnownPart = z.infer<typeof KnownPart>

export const CredentialGrantRecord = z
  .object({
    subject: z.string(),
    resource: z.string(),
    sessionName: z.string().meta({ description: 'How the logs of OSS and RAM name the holder.' }),
    ttlSeconds: z.int().min(1),
    createdAt: Instant,
    expiresAt: Instant,
    requestId: z.string(),
  })
  .meta({ id: 'CredentialGrantRecord', description: 'A set of STS credentials that was handed out. Holds no secret.' })
export type CredentialGrantRecord = z.infer<typeof CredentialGrantRecord>

export const AdminUploadDetail = z
  .object({
    upload: AdminUpload,
    metadata: z.record(z.string(), z.string()),
    fingerprint: z.string().nullable(),
    ossUploadId: z.string().nullable(),
    storedPartRanges: Upload.shape.storedPartRanges,
    parts: z.array(KnownPart).meta({ description: 'At most 1,000, ascending; those of ended uploads are forgotten.' }),
    nextPartsAfter: z.int().nullable().meta({ description: 'For `partsAfter`, if there are more parts.' }),
    grants: z.object({ grantedParts: count, lastGrantedAt: Instant.nullable(), aliveUntil: Instant.nullable() }).meta({
      description: 'Presigned part URLs: how many were handed out, when last, and until when one can be used.',
    }),
    credentials: z.array(CredentialGrantRecord).meta({ description: 'Newest first, at most 100.' }),
    events: z.array(UploadEvent).meta({ description: 'Oldest first, at most 200.' }),
  })
  .meta({ id: 'AdminUploadDetail', description: 'One upload with all that is known of it.' })
export type AdminUploadDetail = z.infer<typeof AdminUploadDetail>

/** Ages since creation, in seconds: `from` inclusive, `to` exclusive, null for the last. */
export const ageBands = [
  { band: 'under-1-hour', fromSeconds: 0, toSeconds: 3600 },
  { band: '1-hour-to-1-day', fromSeconds: 3600, toSeconds: 86_400 },
  { band: '1-to-3-days', fromSeconds: 86_400, toSeconds: 259_200 },
  { band: '3-to-7-days', fromSeconds: 259_200, toSeconds: 604_800 },
  { band: '7-to-30-days', fromSeconds: 604_800, toSeconds: 2_592_000 },
  { band: 'over-30-days', fromSeconds: 2_592_000, toSeconds: null },
] as const
export const AgeBand = z.enum(ageBands.map(({ band }) => band) as [(typeof ageBands)[number]['band']])
export type AgeBand = z.infer<typeof AgeBand>

const amount = { uploads: count, bytes: ByteCount }

export const Summary = z
  .object({
    measuredAt: Instant.meta({
      description:
        'When the open uploads were counted. Older than a minute: a count anew is under way behind this reply.',
    }),
    tenant: z.string().nullable().meta({ description: 'Null: all tenants.' }),
    held: z
      .object({ ...amount, monthlyCost: cost })
      .meta({ description: 'Open uploads, and the bytes in their stored parts.' }),
    stale: z
      .object({ ...amount, monthlyCost: cost, afterSeconds: z.int().min(1) })
      .meta({ description: 'Those of them that are idle for STALE_AFTER_SECONDS, or older than UPLOAD_TTL_SECONDS.' }),
    byState: z.array(z.object({ state: UploadState, ...amount })).meta({
      description: 'Each state once. Bytes of `completed` are those of the objects; `aborted` holds none.',
    }),
    byAge: z
      .array(z.object({ band: AgeBand, fromSeconds: seconds, toSeconds: seconds.nullable(), ...amount }))
      .meta({ description: 'Open uploads by their age since creation, each band once, youngest first.' }),
    byTenant: z
      .array(z.object({ tenant: z.string(), ...amount, monthlyCost: cost }))
      .meta({ description: 'Whose open uploads hold the most bytes, at most 50.' }),
    tenantCount: count.meta({ description: 'Tenants with open uploads.' }),
    overTime: z
      .array(z.object({ at: Instant, ...amount }))
      .meta({ description: 'Hourly for a week, daily for 90 days before it; oldest first.' }),
    pricePerGbMonth: z.number().nullable(),
  })
  .meta({ id: 'Summary', description: 'What unfinished uploads hold, and what that costs.' })
export type Summary = z.infer<typeof Summary>

export const sweepOutcomes = ['aborted', 'finished', 'left', 'failed'] as const
export const SweepOutcome = z.enum(sweepOutcomes).meta({
  description:
    '`aborted`: its parts are discarded. `finished`: OSS had ended it already, and the row says so now. `left`: as it was. `failed`: what became of it is not known.',
})
export const sweepReasons = [
  'stale',
  'end-of-life',
  'asked',
  'object-complete',
  'upload-gone',
  'grant-alive',
  'credential-alive',
  'growing',
  'active',
  'busy',
  'completing',
  'completed',
  'already-aborted',
  'other-bucket',
  'storage-unavailable',
  'not-in-time',
] as const
export const SweepReason = z.enum(sweepReasons).meta({
  description:
    'Aborted: `stale`, `end-of-life` (older than UPLOAD_TTL_SECONDS), `asked`. Finished: `object-complete`, `upload-gone`. Left: `grant-alive` or `credential-alive` (somebody may still send parts), `growing` (OSS holds more than the last time), `active`, `busy` (somebody else is at it), `completing`, `completed`, `already-aborted`, `other-bucket`. Failed: `storage-unavailable`, `not-in-time` (the reply had to leave before it was done; it may be under way, so ask again).',
})
export type SweepOutcome = z.infer<typeof SweepOutcome>
export type SweepReason = z.infer<typeof SweepReason>

export const SweptUpload = z
  .object({
    id: UploadId,
    tenant: z.string(),
    fileName: z.string(),
    storedBytes: ByteCount.meta({ description: 'As OSS told before anything was done.' }),
    outcome: SweepOutcome,
    reason: SweepReason,
    aliveUntil: Instant.nullable().meta({ description: 'Of the grant or credentials it was left for.' }),
  })
  .meta({ id: 'SweptUpload', description: 'What was done with one upload, or with `dryRun` would be, and why.' })
export type SweptUpload = z.infer<typeof SweptUpload>

export const Sweep = z
  .object({
    id: z.string().regex(/^swp_[0-9a-f]{32}$/),
    kind: z.enum(['sweep', 'abort']),
    isDryRun: z.boolean(),
    by: z
      .object({ tenant: z.string(), subject: z.string() })
      .nullable()
      .meta({ description: 'Who asked for it. Null: the server itself, every SWEEP_INTERVAL_SECONDS.' }),
    tenant: z.string().nullable().meta({ description: 'Whose uploads. Null: everybody’s.' }),
    olderThanSeconds: seconds.nullable(),
    startedAt: Instant,
    finishedAt: Instant.nullable().meta({ description: 'Null: under way, or its process died.' }),
    examined: count,
    aborted: count,
    finished: count,
    left: count,
    failed: count,
    freedBytes: ByteCount,
  })
  .meta({ id: 'Sweep', description: 'A sweep’s report; its numbers grow while it runs.' })
export type Sweep = z.infer<typeof Sweep>

export const orphanKinds = ['untracked', 'direct', 'lost', 'completed-outside'] as const
export const OrphanKind = z.enum(orphanKinds).meta({
  description:
    '`untracked`: a multipart upload below KEY_PREFIX that no row knows. `direct`: one below DIRECT_PREFIX, begun with direct credentials. `lost`: a row whose multipart upload is gone, without an object. `completed-outside`: the same, but its object is there, whole or not.',
})
export type OrphanKind = z.infer<typeof OrphanKind>

export const OrphanAction = z.enum(['adopt', 'abort', 'close']).meta({
  description:
    '`adopt`: give it a row, so that it is counted and swept. `abort`: discard its parts. `close`: make the row say what OSS says, `completed` where the whole object is there, else `aborted`. No object is deleted; other multipart uploads under the key of an aborted row are discarded.',
})
export type OrphanAction = z.infer<typeof OrphanAction>

export const OrphanId = z
  .string()
  .regex(/^orp_[A-Za-z0-9_-]{1,6000}$/, 'must be the id of an orphan')
  .meta({ id: 'OrphanId', description: 'Opaque; from a list of orphans.' })

export const Orphan = z
  .object({
    id: OrphanId,
    kind: OrphanKind,
    key: z.string(),
    ossUploadId: z.string().nullable(),
    uploadId: UploadId.nullable().meta({ description: 'The row’s, if there is one on this key.' }),
    tenant: z.string().nullable().meta({ description: 'Null: the key does not tell.' }),
    storedBytes: ByteCount.nullable().meta({
      description: 'In stored parts, or of the object. Null: OSS holds nothing.',
    }),
    partCount: count.nullable(),
    startedAt: Instant.nullable(),
    ageSeconds: seconds.nullable(),
    credentialsAliveUntil: Instant.nullable().meta({
      description:
        'Until then it is nobody’s to abort, nor for 4 hours and 5 minutes more: so long a part on its way may take.',
    }),
    actions: z.array(OrphanAction).meta({ description: 'What can be done about it at this moment.' }),
  })
  .meta({ id: 'Orphan', description: 'Where bucket and table disagree.' })
export type Orphan = z.infer<typeof Orphan>

export const ResolvedOrphan = z
  .object({
    id: OrphanId,
    outcome: z.enum(['adopted', 'aborted', 'closed', 'left', 'failed']),
    reason: z
      .enum([
        'done',
        'not-an-orphan',
        'wrong-action',
        'grant-alive',
        'credential-alive',
        'active',
        'busy',
        'unknown-owner',
        'no-parts',
        'storage-unavailable',
        'not-in-time',
      ])
      .meta({
        description:
          '`done`; otherwise why it was left or failed. `active`: begun, or its newest part stored, less than an hour ago; or credentials for it ended less than 4 hours and 5 minutes ago, so that a part sent with them may still be on its way. `not-in-time`: the reply had to leave before it was done; it may be under way, so ask again. An abort that failed with `credential-alive` had begun when credentials were handed out.',
      }),
    closedAs: z
      .enum(['completed', ...abortReasons])
      .nullable()
      .meta({
        description:
          'What the row of one that is `closed` says: `completed`, or why it is aborted. `integrity`: the object is not what was agreed, and stays. `key-taken`: it is another’s. Null for every other outcome.',
      }),
    uploadId: UploadId.nullable().meta({ description: 'Of the row that was made, or changed.' }),
  })
  .meta({ id: 'ResolvedOrphan', description: 'What was done about an orphan, or with `dryRun` would be.' })
export type ResolvedOrphan = z.infer<typeof ResolvedOrphan>

export const Lifecycle = z
  .object({
    verdicts: z
      .array(
        z.object({
          prefix: z.string(),
          verdict: z.enum(['covered', 'too-short', 'missing']),
          complaint: z.string().nullable().meta({ description: 'In words. Null: all is well.' }),
          canBeMerged: z.boolean().meta({ description: 'Whether PUT would mend it without changing anybody’s rule.' }),
        }),
      )
      .meta({ description: 'For each prefix Partway uploads to: does a rule end forgotten uploads?' }),
    rules: z
      .array(
        z.object({
          id: z.string(),
          prefix: z.string(),
          isEnabled: z.boolean(),
          days: z.int().nullable().meta({ description: 'Null: by a date.' }),
          isOwn: z.boolean().meta({ description: 'Added by Partway.' }),
        }),
      )
      .meta({ description: 'The bucket’s rules for unfinished uploads.' }),
    isChanged: z.boolean().meta({ description: 'Whether this request changed the bucket’s rules.' }),
  })
  .meta({ id: 'Lifecycle', description: 'The bucket’s lifecycle, judged.' })
export type Lifecycle = z.infer<typeof Lifecycle>

export const Cors = z
  .object({
    verdicts: z.array(
      z.object({
        origin: z.string(),
        verdict: z.enum(['allowed', 'refused', 'unknown']).meta({
          description: '`unknown`: the bucket’s public endpoint gave no answer.',
        }),
        complaint: z.string().nullable().meta({
          description: 'In words. Null: all is well. Also for `allowed`, when a page could not read all it should.',
        }),
      }),
    ),
  })
  .meta({
    id: 'Cors',
    description: 'For each of CORS_ORIGINS and this server’s own page: do the bucket’s rules let it upload?',
  })
export type Cors = z.infer<typeof Cors>
