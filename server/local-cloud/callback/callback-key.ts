import { createPrivateKey, createPublicKey, createSign, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { readJson, writeJson } from '../files/atomic-file.ts'

/** Where the cloud publishes the key its callbacks are verified with. No bucket can have this name. */
export const CALLBACK_KEY_PATH = '/callback_pub_key_v1.pem'

/** The RSA key that signs callbacks: made when first needed, then kept with the data, so that receivers may keep the public half. */
export interface CallbackKey {
  /** PKCS #1 v1.5 over MD5, in base64. */
  sign(text: string): Promise<string>
  publicPem(): Promise<string>
}

export function createCallbackKey(dirs: { tmp: string }, path: string): CallbackKey {
  let loading: Promise<KeyObject> | undefined
  const load = () => {
    loading ??= loadKey(dirs.tmp, path)
    return loading
  }
  return {
    sign: async (text) =>
      createSign('RSA-MD5')
        .update(text)
        .sign(await load(), 'base64'),
    publicPem: async () =>
      createPublicKey(await load())
        .export({ type: 'spki', format: 'pem' })
        .toString(),
  }
}

async function loadKey(tmpDir: string, path: string): Promise<KeyObject> {
  const stored = await readJson<string>(path)
  if (stored !== null) return createPrivateKey(stored)
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  await writeJson(tmpDir, path, privateKey.export({ type: 'pkcs8', format: 'pem' }))
  return privateKey
}
