// Never run: that it compiles, with the types that are published for ali-oss, is the test.
import { createDirectAccess, createUploadAccess } from '@partway/client/ali-oss'
import OSS from 'ali-oss'
import { holds, type Same } from '../same.ts'

const { options, prefix } = await createDirectAccess({ baseUrl: 'https://uploads.example.com', token: () => 'a token' })
await new OSS(options).put(`${prefix}a.txt`, Buffer.from('a'))
await new OSS({ ...options, timeout: '10m' }).multipartUpload(`${prefix}film.mp4`, '/data/film.mp4', { parallel: 8 })

const access = await createUploadAccess('upl_1', {
  baseUrl: 'https://uploads.example.com',
  token: async () => 'a token',
})
const checkpoint = await access.checkpoint('/data/film.mp4')
holds<Same<typeof checkpoint.file, string>>()
await new OSS(access.options).multipartUpload(access.key, checkpoint.file, { parallel: 8, checkpoint })

// @ts-expect-error: which upload
await createUploadAccess({ baseUrl: 'https://uploads.example.com', token: () => 'a token' })
// @ts-expect-error: a token expires, so it has to be asked for
await createDirectAccess({ baseUrl: 'https://uploads.example.com', token: 'a token' })
