import { ClientException, ServiceException } from '@partway/client'
import { problemCodes, problems } from '@partway/client/contract'
import { describe, expect, test } from 'vitest'
import { countText, durationText, percentOf, rateText, sizeText } from '../../server/web/shared/figures.ts'
import { baseUrlOf, tokenOf } from '../../server/web/shared/page-address.ts'
import { hintOf, isOfSignIn, messageOf } from '../../server/web/upload/messages.ts'

const spaced = (text: string) => text.replaceAll('\u00a0', ' ')

describe('figures', () => {
  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [9_994, '9.99 kB'],
    [9_996, '10.0 kB'],
    [99_960, '100 kB'],
    [1_240_000_000, '1.24 GB'],
    [53_687_091_200_000, '53.7 TB'],
    [5_000_000_000_000_000, '5000 TB'],
  ])('of %d bytes: %s', (bytes, text) => expect(spaced(sizeText(bytes))).toBe(text))

  test.each([
    [0, '1 s'],
    [0.2, '1 s'],
    [59, '59 s'],
    [61, '1 min'],
    [3599, '1 h'],
    [7500, '2 h 5 min'],
    [86_400, '24 h'],
    [432_000, '5 days'],
  ])('of %d seconds: %s', (seconds, text) => expect(spaced(durationText(seconds))).toBe(text))

  test('say 100 percent only of the whole, and nothing that is not known', () => {
    expect([percentOf(0, 0), percentOf(999, 1000), percentOf(1000, 1000)]).toEqual([0, 99, 100])
    expect([rateText(0, null), spaced(rateText(5e6, null)), spaced(rateText(5e6, 61))]).toEqual([
      '',
      '5.00 MB/s',
      '5.00 MB/s · 1 min left',
    ])
    expect([countText(1, 'file'), countText(12_000, 'file')]).toEqual(['1 file', '12,000 files'])
  })
})

describe('messages', () => {
  test.each(problemCodes)('there is one for the server’s %s', (code) => {
    const { status, title } = problems[code]
    const problem = { type: `x#${code}`, title, status, code, detail: 'The words of the server.' }
    const error = new ServiceException({ from: 'server', status, code, message: title, requestId: 'req-1', problem })
    const message = messageOf(error)
    expect(message.title).not.toBe('')
    expect(message.advice).not.toBe('')
    expect(isOfSignIn(error)).toBe(code === 'unauthenticated')
    // Whatever a user reports can be found in the log, but for what the user can do alone.
    expect(message.advice.includes('req-1')).toBe(status !== 401)
    expect(message.advice.includes('The words of the server.')).toBe(status < 500 && status !== 401)
  })

  test('name OSS’s own code where there is nothing better to say', () => {
    const refused = (code: string) =>
      messageOf(new ServiceException({ from: 'oss', status: 403, code, message: 'x', requestId: 'ABC' }))
    expect(refused('KmsServiceNotEnabled').title).toBe('OSS refused the upload: KmsServiceNotEnabled')
    expect(refused('NoSuchBucket').title).toBe('The bucket does not exist')
    expect(refused('NoSuchBucket').advice).toContain('Request ABC.')
  })

  test('offer a way on for whatever the user can do something about', () => {
    const remedies = (code: ConstructorParameters<typeof ClientException>[0]) =>
      messageOf(new ClientException(code, 'words')).remedies
    expect(remedies('network')).toEqual(['retry'])
    expect(remedies('source-changed')).toEqual(['start-over'])
    expect(remedies('source-unreadable')).toEqual(['choose-again'])
    expect(remedies('token-unavailable')).toEqual([])
    expect(isOfSignIn(new ClientException('token-unavailable', 'words'))).toBe(true)
  })

  test('hint at a wait only from the second failure on', () => {
    const retry = (failures: number) =>
      hintOf({ type: 'retry', of: 3, failures, delayMs: 4200, error: new ClientException('network', 'words') })
    expect(retry(1)).toBeUndefined()
    expect(spaced(retry(2) ?? '')).toBe('OSS cannot be reached. Next attempt in 5 s.')
  })
})

describe('the address of the page', () => {
  const at = (href: string) => new URL(href) as unknown as Location

  test('is the server’s, with the path it is mounted at', () => {
    expect(baseUrlOf(at('https://a.example/#token=x'))).toBe('https://a.example/')
    expect(baseUrlOf(at('https://a.example/files/up/?q=1#x'))).toBe('https://a.example/files/up/')
  })

  test('may hold a token behind the hash', () => {
    expect(tokenOf(at('https://a.example/#token=a.b-c_d'))).toBe('a.b-c_d')
    for (const none of ['', '#', '#token=', '#other=x', '?token=x']) {
      expect(tokenOf(at(`https://a.example/${none}`))).toBeUndefined()
    }
  })
})
