import type { UploadRow } from '../../../server/db/upload-row.ts'
import type { Deps } from '../../../server/deps.ts'
import { createAliyunObjectStore } from '../../../server/oss/aliyun-object-store.ts'
import { staticCredentials } from '../../../server/oss/credential-source.ts'
import { issueGrants } from '../../../server/uploads/grant-parts.ts'
import type { Prepare } from '../support/contender-process.ts'
import type { SignInput, SignResult } from './input.ts'
import { signForAWhile } from './pace.ts'

/** The server's own use case, from the parts asked for to the grants that become the reply; only the one statement is answered here. */
export const prepare: Prepare<SignInput, SignResult> = async (input) => {
  const { accessKeyId, accessKeySecret, securityToken, bucket, region, key, uploadId, partSizeBytes, md5s } = input
  const objects = createAliyunObjectStore({
    bucket,
    region,
    endpoint: `https://oss-${region}.aliyuncs.com`,
    addressing: 'virtual',
    publicEndpoint: `https://oss-${region}.aliyuncs.com`,
    publicAddressing: 'virtual',
    credentials: staticCredentials({ accessKeyId, accessKeySecret, securityToken }),
    signContentLength: true,
    forbidOverwrite: true,
    now: () => new Date(),
    observe: () => {},
  })
  const sizeBytes = BigInt(partSizeBytes * md5s.length)
  const stored = {
    id: 'upl_0',
    key,
    ossUploadId: uploadId,
    sizeBytes,
    partSizeBytes: BigInt(partSizeBytes),
    storedBytes: 0n,
  }
  const row = {
    ...stored,
    sizeBytes: Number(sizeBytes),
    storedBytes: 0,
    partSizeBytes,
    createdAt: new Date(),
    readAt: new Date(),
  } as Partial<UploadRow> as UploadRow
  const deps = {
    config: { uploads: { grantTtlSeconds: input.expiresSeconds, ttlSeconds: 604_800 } },
    db: { prisma: { $queryRaw: async () => [stored] } },
    objects,
    metrics: { grantsIssued: () => {} },
  } as unknown as Deps
  const parts = md5s.map((md5, index) => ({ partNumber: index + 1, md5 }))
  return () =>
    signForAWhile(input, async (first, count) => {
      const grants = await issueGrants(deps, row, parts.slice(first, first + count))
      return grants[0]?.url ?? ''
    })
}
