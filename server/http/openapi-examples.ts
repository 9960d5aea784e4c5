import type { EndpointName, RequestBody } from '@partway/client/contract'

/** One typical request body for operations that have one. A test parses each with its schema. */
export const examples: { [Name in EndpointName]?: { body: RequestBody<Name> } } = {
  createUpload: {
    body: {
      fileName: 'holiday 2026.mp4',
      sizeBytes: 734_003_200,
      contentType: 'video/mp4',
      fingerprint: 'v1-734003200-5f2b0c7d9e',
      resume: true,
      parts: [{ partNumber: 1, md5: 'XrY7u+Ae7tCTyyK7j1rNww==' }, { partNumber: 2 }],
      metadata: { album: 'summer' },
      callback: { url: 'https://app.example.com/uploaded', body: 'key=${object}&by=${x:by}', vars: { 'x:by': 'web' } },
    },
  },
  grantParts: { body: { parts: [{ partNumber: 3 }, { partNumber: 4 }] } },
  saveCheckpoint: {
    body: {
      parts: [{ partNumber: 1, etag: '5EB63BBBE01EEED093CB22BB8F5ACDC3', crc64: '5981764153023615706' }],
    },
  },
  completeUpload: { body: { crc64: '5981764153023615706' } },
  abortUploads: { body: { ids: ['upl_3f6c0a1d9b8e47f2a5c4d3e2f1a0b9c8'], dryRun: true } },
  sweepUploads: { body: { olderThanSeconds: 172_800, dryRun: true, limit: 100 } },
  updateTenant: { body: { suspended: false, limits: { maxOpenUploads: 1000, maxCreatesPerMinute: null } } },
  resolveOrphans: { body: { action: 'abort', ids: ['orp_c2VhbGVk'], dryRun: true } },
}
