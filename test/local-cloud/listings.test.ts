import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestCloud, type TestCloud } from '../support/local-cloud.ts'
import { type Received, send } from './send.ts'

let cloud: TestCloud

// In the order of UTF-8 bytes, where U+FFFD comes before the astral letter; JavaScript's order is the other way round.
const KEYS = ['a', 'a/1', 'a/2', 'a/b/1', 'ab', 'b/1', 'b/2', 'c+&<>"', '目录/x', '\ufffd', '𝒳']

beforeAll(async () => {
  cloud = await startTestCloud()
  for (const key of KEYS.toReversed()) await send(cloud.ossUrl, { method: 'PUT', key, body: 'x' })
})
afterAll(() => cloud.cleanUp())

const list = (query: Record<string, string | null>) => send(cloud.ossUrl, { method: 'GET', query: { ...query } })
const decode = (text: string) =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&')
const texts = (answer: Received, name: string) =>
  [...answer.text.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map((match) => decode(match[1] ?? ''))
const prefixes = (answer: Received) =>
  [...answer.text.matchAll(/<CommonPrefixes><Prefix>([^<]*)</g)].map((match) => decode(match[1] ?? ''))

/** Every page of a listing, as keys and common prefixes in the order they came. */
async function walk(
  query: Record<string, string | null>,
  limit: string,
  next: (answer: Received) => Record<string, string>,
) {
  const lines: string[] = []
  let marker: Record<string, string> = {}
  for (let pages = 0; pages < 50; pages++) {
    const answer: Received = await list({ ...query, ...limitOf(query, limit), ...marker })
    lines.push(...texts(answer, 'Key'), ...prefixes(answer))
    if (answer.xml('IsTruncated') === 'false') return lines
    marker = next(answer)
  }
  throw new Error('the listing does not end')
}
const limitOf = (query: object, limit: string) =>
  'uploads' in query ? { 'max-uploads': limit } : { 'max-keys': limit }

describe('a listing of objects', () => {
  it.each(['1', '2', '3', '1000'])('gives every key once in UTF-8 order, %s a page', async (limit) => {
    const v1 = await walk({}, limit, (answer) => ({ marker: decode(answer.xml('NextMarker') ?? '') }))
    expect(v1).toEqual(KEYS)
    const v2 = await walk({ 'list-type': '2' }, limit, (answer) => ({
      'continuation-token': answer.xml('NextContinuationToken') ?? '',
    }))
    expect(v2).toEqual(KEYS)
  })

  it.each(['1', '2', '1000'])('groups by delimiter, %s lines a page', async (limit) => {
    const lines = await walk({ delimiter: '/' }, limit, (answer) => ({
      marker: decode(answer.xml('NextMarker') ?? ''),
    }))
    expect(lines.toSorted()).toEqual(['a', 'a/', 'ab', 'b/', 'c+&<>"', '目录/', '\ufffd', '𝒳'].toSorted())
    const inside = await walk({ delimiter: '/', prefix: 'a/' }, limit, (answer) => ({
      marker: answer.xml('NextMarker') ?? '',
    }))
    expect(inside.toSorted()).toEqual(['a/1', 'a/2', 'a/b/'])
  })

  it('encodes keys where asked to', async () => {
    const answer = await list({ 'encoding-type': 'url', prefix: 'c', delimiter: '/' })
    expect(answer.xml('EncodingType')).toBe('url')
    expect(texts(answer, 'Key')).toEqual(['c%2B%26%3C%3E%22'])
    expect(answer.xml('Delimiter')).toBe('%2F')
  })

  it('begins after the key asked for, in the second version', async () => {
    const answer = await list({ 'list-type': '2', 'start-after': 'ab', 'max-keys': '2', 'fetch-owner': 'true' })
    expect(texts(answer, 'Key')).toEqual(['b/1', 'b/2'])
    expect(answer.xml('KeyCount')).toBe('2')
    expect(answer.text).toContain('<Owner>')
    expect((await list({ 'list-type': '2', 'continuation-token': '!' })).status).toBe(400)
  })

  it('tells size, type, class and ETag of each object', async () => {
    const answer = await list({ prefix: 'ab' })
    expect(answer.xml('Size')).toBe('1')
    expect(answer.xml('Type')).toBe('Normal')
    expect(answer.xml('StorageClass')).toBe('Standard')
    expect(answer.xml('ETag')).toBe('&quot;9DD4E461268C8034F5C8564E155C67A6&quot;')
  })
})

describe('a listing of uploads', () => {
  const ids: Array<[key: string, uploadId: string]> = []

  beforeAll(async () => {
    for (const key of ['b', 'a', 'c/1', 'b', 'c/2', 'b']) {
      const answer = await send(cloud.ossUrl, { method: 'POST', key, query: { uploads: null } })
      ids.push([key, answer.xml('UploadId') ?? ''])
    }
    ids.sort((x, y) => (x.join() < y.join() ? -1 : 1))
  })

  const uploads = (answer: Received) => {
    const found = texts(answer, 'UploadId')
    return texts(answer, 'Key').map((key, index) => [key, found[index]])
  }

  it.each(['1', '2', '4', '1000'])('gives every upload once by key and id, %s a page', async (limit) => {
    const found: unknown[] = []
    let marker: Record<string, string> = {}
    for (;;) {
      const answer = await list({ uploads: null, 'max-uploads': limit, ...marker })
      found.push(...uploads(answer))
      if (answer.xml('IsTruncated') === 'false') break
      marker = {
        'key-marker': answer.xml('NextKeyMarker') ?? '',
        'upload-id-marker': answer.xml('NextUploadIdMarker') ?? '',
      }
    }
    expect(found).toEqual(ids)
  })

  it('skips a whole key when only the key is marked, and ignores an id without a key', async () => {
    const after = await list({ uploads: null, 'key-marker': 'b' })
    expect(uploads(after)).toEqual(ids.slice(4))
    const ignored = await list({ uploads: null, 'upload-id-marker': 'Z' })
    expect(uploads(ignored)).toEqual(ids)
  })

  it('filters by prefix and groups by delimiter', async () => {
    expect(uploads(await list({ uploads: null, prefix: 'c/' }))).toEqual(ids.slice(4))
    const grouped = await list({ uploads: null, delimiter: '/', 'max-uploads': '1000' })
    expect(uploads(grouped)).toEqual(ids.slice(0, 4))
    expect(prefixes(grouped)).toEqual(['c/'])
  })
})
