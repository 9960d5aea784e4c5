import { join } from 'node:path'
import type { Config } from '../config.ts'
import type { LocalCloudOptions } from '../local-cloud/local-cloud.ts'
import { LOCAL_ACCOUNT_ID, LOCAL_BUCKET, LOCAL_ROLE_ARN, localServerUser } from '../local-identities.ts'
import { ownRule } from '../oss/lifecycle-rules.ts'
import { serverPolicy, uploaderRolePolicy } from '../ram-policies.ts'
import { uploadPlaces } from '../upload-places.ts'

/**
 * The local cloud as Partway needs it: one bucket, the server's RAM user under exactly the policy that operators are told to attach, and the
 * uploader role. The bucket takes uploads from the server's own pages and from CORS_ORIGINS.
 */
export function localCloudOptions(config: Config): LocalCloudOptions {
  const { localCloud, http, uploads, sts } = config
  if (!localCloud) throw new Error('OSS_BUCKET is set, so there is no local cloud to start.')
  const { directPrefix } = sts
  const places = { bucket: LOCAL_BUCKET, keyPrefix: uploads.keyPrefix }
  const ownPages = [http.publicUrl ?? '', `http://localhost:${http.port}`, `http://${http.host}:${http.port}`]
  const origins = [
    ...ownPages.filter((url) => URL.canParse(url)).map((url) => new URL(url).origin),
    ...http.corsOrigins,
  ]
  return {
    dataDir: join(config.dataDir, 'cloud'),
    host: localCloud.host,
    publicHost: localCloud.publicHost,
    ossPort: localCloud.ossPort,
    stsPort: localCloud.stsPort,
    region: config.oss.region,
    accountId: LOCAL_ACCOUNT_ID,
    buckets: [LOCAL_BUCKET],
    corsRules: [
      {
        allowedOrigins: [...new Set(origins)],
        allowedMethods: ['PUT', 'GET', 'HEAD', 'POST', 'DELETE'],
        allowedHeaders: ['*'],
        exposeHeaders: ['ETag', 'x-oss-hash-crc64ecma', 'x-oss-request-id', 'Date'],
        maxAgeSeconds: 600,
      },
    ],
    lifecycle: `<LifecycleConfiguration>${uploadPlaces(config)
      .map((place) => ownRule(place))
      .join('')}</LifecycleConfiguration>`,
    rootKey: { accessKeyId: localCloud.rootAccessKeyId, accessKeySecret: localCloud.rootAccessKeySecret },
    users: [
      {
        ...localServerUser,
        policy: JSON.stringify(serverPolicy({ ...places, roleArn: LOCAL_ROLE_ARN, directPrefix })),
      },
    ],
    roles: [
      {
        arn: LOCAL_ROLE_ARN,
        policy: JSON.stringify(uploaderRolePolicy({ ...places, directPrefix })),
        trusted: [localServerUser.userName],
        maxSessionSeconds: 43_200,
      },
    ],
  }
}
