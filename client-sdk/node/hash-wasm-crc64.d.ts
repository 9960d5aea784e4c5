declare module 'hash-wasm/dist/crc64.umd.min.js' {
  import type { IHasher } from 'hash-wasm'

  const algorithms: { createCRC64(): Promise<IHasher> }
  export default algorithms
}
