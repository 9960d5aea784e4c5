import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  DEFAULT_ROOT_KEY,
  type LocalCloud,
  type LocalCloudOptions,
  startLocalCloud,
} from '../../server/local-cloud/local-cloud.ts'
import type { RamPolicy } from '../../server/local-cloud/ram-policy.ts'

export const TEST_BUCKET = 'partway-local'
export const TEST_REGION = 'cn-hangzhou'
export const TEST_ROLE_ARN = 'acs:ram::1000000000000000:role/partway-uploader'
export const ROOT_KEY = DEFAULT_ROOT_KEY

/** What the server of the product may do: the policy its users attach, and the right to assume the role. */
export const TEST_SERVER_POLICY: RamPolicy = {
  Version: '1',
  Statement: [
    {
      Effect: 'Allow',
      Action: ['oss:PutObject', 'oss:GetObject', 'oss:DeleteObject', 'oss:AbortMultipartUpload', 'oss:ListParts'],
      Resource: [`acs:oss:*:*:${TEST_BUCKET}/*`],
    },
    {
      Effect: 'Allow',
      Action: ['oss:ListMultipartUploads', 'oss:GetBucketInfo', 'oss:GetBucketLifecycle', 'oss:GetBucketCors'],
      Resource: [`acs:oss:*:*:${TEST_BUCKET}`],
    },
    { Effect: 'Allow', Action: ['sts:AssumeRole'], Resource: [TEST_ROLE_ARN] },
  ],
}

export const TEST_ROLE_POLICY: RamPolicy = {
  Version: '1',
  Statement: [
    {
      Effect: 'Allow',
      Action: ['oss:PutObject', 'oss:GetObject', 'oss:AbortMultipartUpload', 'oss:ListParts'],
      Resource: [`acs:oss:*:*:${TEST_BUCKET}/*`],
    },
  ],
}

/** The key the server under test signs with; never the root key. */
export const SERVER_KEY = { accessKeyId: 'LTAI-test-server', accessKeySecret: 'test-server-secret' }

export interface TestCloud extends LocalCloud {
  readonly dataDir: string
  /** Stops the cloud and starts it again on the same data and, unless told otherwise, with the same options and free ports. */
  restart(changed?: Partial<LocalCloudOptions>): Promise<TestCloud>
  /** Stops the cloud and removes its data, unless the data directory was given. */
  cleanUp(): Promise<void>
}

/** A local cloud with a temporary data directory, free ports, one bucket, one user and one role. Everything can be overridden. */
export async function startTestCloud(options: Partial<LocalCloudOptions> = {}): Promise<TestCloud> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'partway-cloud-')))
  const full: LocalCloudOptions = {
    region: TEST_REGION,
    buckets: [TEST_BUCKET],
    users: [{ ...SERVER_KEY, userName: 'partway-server', policy: TEST_SERVER_POLICY }],
    roles: [{ arn: TEST_ROLE_ARN, policy: TEST_ROLE_POLICY, trusted: ['partway-server'] }],
    ...options,
    dataDir,
  }
  const cloud = await startLocalCloud(full)
  return {
    ...cloud,
    dataDir,
    restart: async (changed = {}) => {
      await cloud.close()
      return startTestCloud({ ...full, ...changed })
    },
    cleanUp: async () => {
      await cloud.close()
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true })
    },
  }
}
