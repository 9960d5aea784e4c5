/* Who exists in the local cloud besides its root key. These secrets guard nothing but a stand-in on the developer's machine. */

export const LOCAL_ACCOUNT_ID = '1000000000000000'
export const LOCAL_BUCKET = 'partway-local'
/** The role whose credentials are vended to uploaders. */
export const LOCAL_ROLE_ARN = `acs:ram::${LOCAL_ACCOUNT_ID}:role/partway-uploader`

/** The local cloud's root key, unless LOCAL_ACCESS_KEY_ID and LOCAL_ACCESS_KEY_SECRET say otherwise. Partway itself never signs with it. */
export const localRootKey = { accessKeyId: 'LTAI-partway-local', accessKeySecret: 'partway-local-secret' } as const

/** The RAM user as which Partway runs locally: it has exactly the policy that the README tells operators to attach. */
export const localServerUser = {
  userName: 'partway-server',
  accessKeyId: 'LTAI-partway-server',
  accessKeySecret: 'partway-server-secret',
} as const
