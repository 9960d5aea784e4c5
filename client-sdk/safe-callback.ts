/** A caller's callback that can stop nothing: what it throws, or rejects with when it is async, is dropped. */
export function safeCallback<Value>(callback: ((value: Value) => unknown) | undefined): (value: Value) => void {
  return (value) => {
    try {
      const result = callback?.(value)
      if (result instanceof Promise) result.catch(() => {})
    } catch {
      // Somebody's display must not stop their upload.
    }
  }
}
