import { z } from 'zod'
import { Instant } from './primitives.ts'

const credentialFields = {
  accessKeyId: z.string(),
  accessKeySecret: z.string().meta({ description: 'A secret until it expires.' }),
  securityToken: z.string().meta({
    description: 'Sent as `x-oss-security-token` with every request, and signed. A secret; of any length.',
  }),
  expiresAt: Instant.meta({ description: 'At least 600 s away when they are handed out.' }),
  bucket: z.string(),
  region: z.string().meta({ description: 'As V4 signatures name it: `cn-hangzhou`, without `oss-`.' }),
  endpoint: z.string().meta({ description: 'The base URL to upload to, without the bucket.' }),
  addressing: z
    .enum(['virtual', 'cname', 'path'])
    .meta({ description: 'Where the bucket goes: before the endpoint’s host, nowhere, or first in the path.' }),
}

export const UploadCredentials = z
  .object({
    ...credentialFields,
    key: z.string().meta({ description: 'The one object they are for.' }),
    uploadId: z.string().meta({ description: 'The multipart upload at OSS to send parts to.' }),
  })
  .meta({
    id: 'UploadCredentials',
    description: 'STS credentials for PutObject, ListParts and AbortMultipartUpload on one object.',
  })
export type UploadCredentials = z.infer<typeof UploadCredentials>

export const DirectCredentials = z
  .object({
    ...credentialFields,
    prefix: z.string().meta({ description: 'They are for every key that begins with it. Ends in a slash.' }),
  })
  .meta({
    id: 'DirectCredentials',
    description: 'STS credentials for PutObject, ListParts and AbortMultipartUpload below the caller’s own folder.',
  })
export type DirectCredentials = z.infer<typeof DirectCredentials>

export const AuthUrlId = z
  .string()
  .regex(/^aur_[0-9a-f]{32}$/, 'must be the id of an auth URL')
  .meta({ id: 'AuthUrlId', description: 'Identifies an auth URL; not a secret.' })

export const AuthUrl = z
  .object({
    id: AuthUrlId,
    url: z
      .string()
      .meta({ description: 'Whoever knows it gets credentials for the caller’s folder until it expires. A secret.' }),
    expiresAt: Instant,
  })
  .meta({ id: 'AuthUrl', description: 'What Alibaba’s mobile SDKs take as the URL of an auth server.' })
export type AuthUrl = z.infer<typeof AuthUrl>

/** What Alibaba's mobile SDKs read from an auth server: their OSSAuthCredentialsProvider. `StatusCode` decides, not the HTTP status. */
export const AuthServerReply = z
  .object({
    StatusCode: z.int().meta({ description: '200, or the status of the problem in `ErrorCode`.' }),
    AccessKeyId: z.string().optional(),
    AccessKeySecret: z.string().optional(),
    SecurityToken: z.string().optional(),
    Expiration: z.string().optional().meta({ description: 'UTC in whole seconds: `2026-11-22T12:00:00Z`.' }),
    ErrorCode: z.string().optional().meta({ description: 'A problem code.' }),
    ErrorMessage: z.string().optional(),
  })
  .meta({ id: 'AuthServerReply', description: 'Credentials, or why there are none.' })
export type AuthServerReply = z.infer<typeof AuthServerReply>
