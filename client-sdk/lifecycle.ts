/** What happens to the process around an upload. Pages are hidden, frozen and thrown away without asking. */
export interface Lifecycle {
  /** `run` is called when this may be the last moment: a page being left, or a phone switching to another app. The result forgets it. */
  onHide(run: () => void): () => void
  /** `run` is called after the machine or the page slept: connections are then likely dead, whatever they look like. */
  onWake(run: () => void): () => void
}
