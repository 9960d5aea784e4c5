// Node has WebAssembly, but @types/node 20 leaves it to the DOM library, which the server is built without.
declare namespace WebAssembly {
  type Exports = Record<string, unknown>
  type Imports = Record<string, unknown>
  function instantiate(bytes: Uint8Array, imports: Imports): Promise<{ instance: { exports: Exports } }>
}
