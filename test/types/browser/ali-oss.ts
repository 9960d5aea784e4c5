// Never run: that it compiles, without Node's types and those of ali-oss, is the test.
import { browserClock } from '@partway/client'
import {
  type AliOssCheckpoint,
  type AliOssOptions,
  createDirectAccess,
  createUploadAccess,
} from '@partway/client/ali-oss'
import { holds, type Same } from '../same.ts'

const server = { baseUrl: '/uploads', token: async () => 'a token', ports: { clock: browserClock } }
const { options, prefix } = await createDirectAccess(server)
holds<Same<[AliOssOptions, string], [typeof options, typeof prefix]>>()

declare const file: File
const access = await createUploadAccess('upl_1', { ...server, signal: AbortSignal.timeout(1000) })
const checkpoint = await access.checkpoint(file)
holds<Same<AliOssCheckpoint<File>, typeof checkpoint>>()
// @ts-expect-error: the credentials are for one object
access.prefix
