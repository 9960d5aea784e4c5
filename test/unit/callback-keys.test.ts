import { createSign, createVerify, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createCallbackKeys } from '../../server/oss/callback-keys.ts'
import { isSignedByOss } from '../../server/oss/callback-signature.ts'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
const vendorUrl = 'https://gosspublic.alicdn.com/callback_pub_key_v1.pem'

function keysOf(
  answer: (url: string) => Promise<string> = async () => pem,
  local: { publicEndpoint: string; endpoint: string } | null = null,
) {
  const fetched: string[] = []
  let nowMs = Date.UTC(2026, 0, 1)
  const keys = createCallbackKeys({
    now: () => new Date(nowMs),
    local,
    fetchKey: async (url) => {
      fetched.push(url)
      return answer(url)
    },
  })
  return { keys, fetched, pass: (seconds: number) => (nowMs += seconds * 1000) }
}

describe('the keys of callbacks', () => {
  it('come from the vendor’s host alone, by HTTPS whatever the callback says', async () => {
    const { keys, fetched } = keysOf()
    expect(await keys.find(vendorUrl.replace('https:', 'http:'))).not.toBeNull()
    expect(fetched).toEqual([vendorUrl])
  })

  it.each([
    'https://gosspublic.alicdn.com.evil.test/callback_pub_key_v1.pem',
    'https://evilgosspublic.alicdn.com/callback_pub_key_v1.pem',
    'https://gosspublic.alicdn.com@evil.test/callback_pub_key_v1.pem',
    'https://evil.test/gosspublic.alicdn.com/callback_pub_key_v1.pem',
    'https://evil.test/#https://gosspublic.alicdn.com/callback_pub_key_v1.pem',
    'https://gosspublic.alicdn.com:8443/callback_pub_key_v1.pem',
    'https://user@gosspublic.alicdn.com/callback_pub_key_v1.pem',
    'https://gosspublic.alicdn.com/callback_pub_key_v1.pem?x=1',
    'https://gosspublic.alicdn.com/a/../../key.txt',
    'ftp://gosspublic.alicdn.com/callback_pub_key_v1.pem',
    'http://127.0.0.1:9000/callback_pub_key_v1.pem',
    '//gosspublic.alicdn.com/callback_pub_key_v1.pem',
    '',
  ])('are never fetched from %s', async (url) => {
    const { keys, fetched } = keysOf()
    expect(await keys.find(url)).toBeNull()
    expect(fetched).toEqual([])
  })

  it('of the local cloud come from where the server reaches it, and the vendor’s are none', async () => {
    const { keys, fetched } = keysOf(undefined, {
      publicEndpoint: 'http://192.168.1.5:9000',
      endpoint: 'http://127.0.0.1:9000',
    })
    expect(await keys.find('http://192.168.1.5:9000/callback_pub_key_v1.pem')).not.toBeNull()
    expect(await keys.find(vendorUrl)).toBeNull()
    expect(fetched).toEqual(['http://127.0.0.1:9000/callback_pub_key_v1.pem'])
  })

  it('are fetched once for all who ask, and again after an hour', async () => {
    const { keys, fetched, pass } = keysOf()
    await Promise.all(Array.from({ length: 20 }, () => keys.find(vendorUrl)))
    pass(3_599)
    await keys.find(vendorUrl)
    expect(fetched).toHaveLength(1)
    pass(1)
    await keys.find(vendorUrl)
    expect(fetched).toHaveLength(2)
  })

  it('are used on while they cannot be fetched again; without one it is 503, and asked for every 5 s', async () => {
    let isDown = false
    const { keys, fetched, pass } = keysOf(async () => {
      if (isDown) throw new Error('down')
      return pem
    })
    await keys.find(vendorUrl)
    isDown = true
    pass(3_600)
    expect(await keys.find(vendorUrl)).not.toBeNull()
    await expect(keys.find(vendorUrl.replace('v1', 'v2'))).rejects.toMatchObject({
      code: 'credentials-unavailable',
      status: 503,
    })
    const before = fetched.length
    await expect(keys.find(vendorUrl.replace('v1', 'v2'))).rejects.toMatchObject({ status: 503 })
    expect(fetched.length).toBe(before)
    isDown = false
    pass(5)
    expect(await keys.find(vendorUrl.replace('v1', 'v2'))).not.toBeNull()
  })

  it('are at most four: whoever makes up names costs three fetches each 5 s, and keeps nobody’s key out', async () => {
    const { keys, fetched, pass } = keysOf(async (url) => {
      if (!/v[12]\.pem$/.test(url)) throw new Error('404')
      return pem
    })
    const ask = (version: number) =>
      keys.find(vendorUrl.replace('v1', `v${version}`)).then(
        (key) => key !== null,
        () => false,
      )
    for (let n = 10; n < 100; n++) await ask(n)
    expect(fetched).toHaveLength(3)
    // The one that callbacks name today finds its place before anybody has asked for it, and the next one after a moment.
    expect(await ask(1)).toBe(true)
    expect(await ask(2)).toBe(false)
    pass(5)
    expect(await ask(2)).toBe(true)
    for (let n = 10; n < 100; n++) await ask(n)
    expect(fetched).toHaveLength(7)
    expect([await ask(1), await ask(2)]).toEqual([true, true])
    expect(fetched).toHaveLength(7)
  })

  it('are of RSA', async () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      .publicKey.export({ type: 'spki', format: 'pem' })
      .toString()
    await expect(keysOf(async () => ec).keys.find(vendorUrl)).rejects.toMatchObject({ status: 503 })
    await expect(keysOf(async () => '<html>').keys.find(vendorUrl)).rejects.toMatchObject({ status: 503 })
  })
})

describe('the signature of a callback', () => {
  const sign = (text: string) => createSign('RSA-MD5').update(text).sign(privateKey, 'base64')
  const body = Buffer.from('object=a%2Fb&who=ü')
  const check = (target: string, signature: string, sent = body) =>
    isSignedByOss({ target, body: sent, signature }, publicKey)

  it('covers the decoded path, the query as it stands, and the body', () => {
    const signature = sign(`/ä b?q=%20c\n${body.toString()}`)
    expect(check('/%C3%A4%20b?q=%20c', signature)).toBe(true)
    expect(check('/%C3%A4%20b?q=%20d', signature)).toBe(false)
    expect(check('/%C3%A4%20b', signature)).toBe(false)
    expect(check('/%C3%A4%20b?q=%20c', signature, Buffer.from('object=a%2Fc'))).toBe(false)
    expect(check('/done', sign(`/done\n${body.toString()}`))).toBe(true)
  })

  it('is no match, and no error, when it is garbage', () => {
    for (const signature of ['', 'x', '!!!', 'A'.repeat(10_000)]) expect(check('/', signature)).toBe(false)
    expect(check('/%zz', sign('/%zz\n'))).toBe(false)
  })

  it('can be of a short key, as the vendor’s may be', () => {
    const short = generateKeyPairSync('rsa', { modulusLength: 512 })
    const signature = createSign('RSA-MD5').update('/\nx').sign(short.privateKey, 'base64')
    expect(createVerify('RSA-MD5').update('/\nx').verify(short.publicKey, signature, 'base64')).toBe(true)
    expect(isSignedByOss({ target: '/', body: Buffer.from('x'), signature }, short.publicKey)).toBe(true)
  })
})
